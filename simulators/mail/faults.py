"""What an email API may do wrong, as data, and the rules in force. Pure: it decides, the routes act.

The first rule that fits wins, and a rule that is used up fits no longer. Rules that were added come before the
built-in ones, in the order in which they were added.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated

import msgspec


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that goes wrong, for whom, and how often.

    `recipients` is a glob pattern; case does not matter. `status` refuses with this HTTP status, `error`, which is the
    provider's name of it, and `text`. `drop` takes the mail and cuts the connection before the answer is whole.
    `delay_seconds` comes before the answer; alone, the mail counts as taken, whether or not the client waits for it.
    `times` is how often it happens; none is for ever.
    """

    recipients: Annotated[str, msgspec.Meta(min_length=1, max_length=320)] = "*"
    status: Annotated[int, msgspec.Meta(ge=400, le=599)] | None = None
    error: Annotated[str, msgspec.Meta(pattern="^[A-Za-z_]*$", max_length=64)] = ""
    text: Annotated[str, msgspec.Meta(max_length=400)] = ""
    retry_after_seconds: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] | None = None
    drop: bool = False
    delay_seconds: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 0.0
    times: Annotated[int, msgspec.Meta(ge=1)] | None = None

    def __post_init__(self) -> None:
        if self.status is not None and self.drop:
            raise ValueError("choose one of `status` and `drop`")
        if self.status is None and (self.error or self.text or self.retry_after_seconds is not None):
            raise ValueError("`error`, `text` and `retry_after_seconds` go with a `status`")
        if self.status is None and not self.drop and not self.delay_seconds:
            raise ValueError("choose one of `status` and `drop`, or give a `delay_seconds`")


@dataclass(slots=True, kw_only=True)
class Rule:
    """A fault in force, and how often it happened."""

    fault: Fault
    builtin: bool
    applied: int = 0

    def fits(self, recipient: str) -> bool:
        """Return whether it happens to a mail to this address now."""
        unused = self.fault.times is None or self.applied < self.fault.times
        return unused and fnmatchcase(recipient.lower(), self.fault.recipients.lower())


class Faults:
    """The rules in force. Made with the built-in ones, which `reset` brings back, unused."""

    def __init__(self, builtin: Sequence[Fault] = ()) -> None:
        self._builtin = tuple(builtin)
        self._added: list[Rule] = []
        self._standing: list[Rule] = []
        self.reset()

    def __iter__(self) -> Iterator[Rule]:
        yield from self._added
        yield from self._standing

    def add(self, fault: Fault) -> Rule:
        """Put a fault in force, after those added before it and ahead of the built-in ones."""
        rule = Rule(fault=fault, builtin=False)
        self._added.append(rule)
        return rule

    def reset(self) -> None:
        """Go back to the built-in rules, as if none had ever happened."""
        self._added.clear()
        self._standing = [Rule(fault=fault, builtin=True) for fault in self._builtin]

    def meet(self, recipient: str) -> Fault | None:
        """Return the fault that happens to a mail to this address, counted, or None."""
        for rule in self:
            if rule.fits(recipient):
                rule.applied += 1
                return rule.fault
        return None


def effect(fault: Fault) -> str:
    """Return what a fault does, in words."""
    words = [f"waits {fault.delay_seconds:g} s"] if fault.delay_seconds else []
    if fault.status is not None:
        words.append(f"refuses it: {fault.status} {fault.error}".rstrip())
    if fault.drop:
        words.append("takes it, then hangs up")
    if fault.times is not None:
        words.append(f"{fault.times} times")
    return ", ".join(words)
