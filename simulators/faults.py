"""The faults in force, whatever a simulator calls a fault. Pure: they decide, the simulator acts.

The first rule that fits wins, and a rule that is used up fits no longer. Rules that were added come before the
built-in ones, in the order in which they were added.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Generic, Protocol, TypeVar


class Repeated(Protocol):
    """One thing that goes wrong, and how often."""

    @property
    def times(self) -> int | None:
        """How often it happens; none is for ever."""

    def meets(self, recipient: str, /) -> bool:
        """Return whether it is meant for this recipient: an address, a number, a device's token."""


F = TypeVar("F", bound=Repeated)


@dataclass(slots=True, kw_only=True)
class Rule(Generic[F]):
    """A fault in force, and how often it happened."""

    fault: F
    builtin: bool
    applied: int = 0

    @property
    def used_up(self) -> bool:
        """Whether it has happened as often as it was to."""
        return self.fault.times is not None and self.applied >= self.fault.times


class Rules(Generic[F]):
    """The rules in force. Made with the built-in ones, which `reset` brings back, unused."""

    def __init__(self, builtin: Sequence[F] = ()) -> None:
        self._builtin = tuple(builtin)
        self._added: list[Rule[F]] = []
        self._standing: list[Rule[F]] = []
        self.reset()

    def __iter__(self) -> Iterator[Rule[F]]:
        yield from self._added
        yield from self._standing

    def add(self, fault: F) -> Rule[F]:
        """Put a fault in force, after those added before it and ahead of the built-in ones."""
        rule = Rule(fault=fault, builtin=False)
        self._added.append(rule)
        return rule

    def reset(self) -> None:
        """Go back to the built-in rules, as if none had ever happened."""
        self._added.clear()
        self._standing = [Rule(fault=fault, builtin=True) for fault in self._builtin]


class Faults(Rules[F]):
    """The rules in force where a fault goes by the recipient alone."""

    def meet(self, recipient: str) -> F | None:
        """Return the fault that happens to this recipient now, counted, or None."""
        for rule in self:
            if not rule.used_up and rule.fault.meets(recipient):
                rule.applied += 1
                return rule.fault
        return None


class Asking(Protocol):
    """A fault that may ask its victim to wait."""

    @property
    def retry_after_seconds(self) -> int | None:
        """For how long; none does not ask."""

    @property
    def retry_after_as_date(self) -> bool:
        """Whether it says so as a date rather than in seconds."""


def retry_after(fault: Asking, now: datetime) -> Mapping[str, str]:
    """Return the header that asks to wait, in one of its two forms (RFC 9110, section 10.2.3); none if nothing does."""
    if fault.retry_after_seconds is None:
        return {}
    until = now + timedelta(seconds=fault.retry_after_seconds)
    asked = format_datetime(until, usegmt=True) if fault.retry_after_as_date else str(fault.retry_after_seconds)
    return {"Retry-After": asked}
