"""What FCM may do wrong, as data, and the rules in force. Pure: it decides, the routes act.

The first rule that fits wins, and a rule that is used up fits no longer. Rules that were added come before the
built-in ones, in the order in which they were added.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated

import msgspec

from simulators.fcm.errors import ErrorCode


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that goes wrong, for which devices, and how often.

    `tokens` is a glob pattern. `error` refuses. `delay_seconds` keeps the answer back; without an error the message
    counts as taken, whether or not the client waits for it. `times` is how often the fault happens; none is for ever.
    """

    tokens: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)] = "*"
    error: ErrorCode | None = None
    retry_after_seconds: Annotated[int, msgspec.Meta(ge=0, le=86_400)] | None = None
    delay_seconds: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 0.0
    times: Annotated[int, msgspec.Meta(ge=1)] | None = None

    def __post_init__(self) -> None:
        if self.error is None and not self.delay_seconds:
            raise ValueError("give an `error`, a `delay_seconds`, or both")
        if self.error is None and self.retry_after_seconds is not None:
            raise ValueError("`retry_after_seconds` goes with an `error`")


@dataclass(slots=True, kw_only=True)
class Rule:
    """A fault in force, and how often it happened."""

    fault: Fault
    builtin: bool
    applied: int = 0

    def fits(self, token: str) -> bool:
        """Return whether the fault would happen to a device now."""
        used_up = self.fault.times is not None and self.applied >= self.fault.times
        return not used_up and fnmatchcase(token, self.fault.tokens)


class Faults:
    """The rules in force. Made with the built-in ones, which `reset` brings back, unused."""

    def __init__(self, builtin: tuple[Fault, ...] = ()) -> None:
        self._builtin = builtin
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

    def at(self, token: str) -> Fault | None:
        """Return what goes wrong with a message to this device, and count it."""
        rule = next((rule for rule in self if rule.fits(token)), None)
        if rule is None:
            return None
        rule.applied += 1
        return rule.fault
