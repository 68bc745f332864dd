"""What a provider may do wrong, as data, and the rules in force. Pure: it decides, the provider's routes act.

The first rule that fits wins, and a rule that is used up fits no longer. Rules that were added come before the
built-in ones, in the order in which they were added.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import msgspec


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """A callback: the provider's status of the text, and its code of a failure."""

    status: str
    code: int | None = None


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that goes wrong, for whom, and how often.

    `recipients` is a glob pattern or a number (E.164), or several of them. `status` refuses with this HTTP status and
    `code`, the provider's; with `code` alone the provider's usual status is taken. `partly` refuses all parts of a text
    but the first. `drop` takes the text and cuts the connection before the answer is whole. `delay_seconds` comes
    first. `receipts` are sent in place of the usual ones, in this order, for a text that was taken. `times` is how
    often it happens; none is for ever.
    """

    recipients: str | tuple[str, ...] = "*"
    status: int | None = None
    code: int | None = None
    text: str = ""
    retry_after_seconds: int | None = None
    partly: bool = False
    drop: bool = False
    delay_seconds: float = 0.0
    receipts: tuple[Receipt, ...] | None = None
    times: int | None = None

    def __post_init__(self) -> None:
        if self.refuses and self.drop:
            raise ValueError("choose one of a refusal (`status`, `code`) and `drop`")
        if not (self.refuses or self.drop or self.delay_seconds or self.receipts is not None):
            raise ValueError("choose one of `status`, `code`, `drop`, `delay_seconds` and `receipts`")

    @property
    def refuses(self) -> bool:
        """Whether the text, or a part of it, is not taken."""
        return self.status is not None or self.code is not None

    @property
    def patterns(self) -> tuple[str, ...]:
        """Whom it meets: globs and numbers."""
        return (self.recipients,) if isinstance(self.recipients, str) else self.recipients


@dataclass(slots=True, kw_only=True)
class Rule:
    """A fault in force, and how often it happened."""

    fault: Fault
    builtin: bool
    applied: int = 0

    def fits(self, recipient: str) -> bool:
        """Return whether it happens to this number now."""
        unused = self.fault.times is None or self.applied < self.fault.times
        return unused and any(fnmatchcase(recipient, wanted) for wanted in self.fault.patterns)


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
        """Return the fault that happens to a text to this number, counted, or None."""
        for rule in self:
            if rule.fits(recipient):
                rule.applied += 1
                return rule.fault
        return None
