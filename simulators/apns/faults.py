"""What APNs may do wrong, as data, and the rules in force. Pure: it decides, the server acts.

The first rule that fits wins, and a rule that is used up fits no longer.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated

import msgspec

from simulators.apns.reasons import STATUS_OF


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that goes wrong, for which devices, and how often.

    `tokens` is a glob pattern. `reason` refuses, as Apple does. `cut` takes the push and breaks the connection instead
    of answering; `refuse_stream` does not look at it (RST_STREAM with REFUSED_STREAM). `times` is how often it happens;
    none is for ever.
    """

    tokens: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)] = "*"
    reason: str | None = None
    retry_after_seconds: Annotated[int, msgspec.Meta(ge=0, le=86_400)] | None = None
    cut: bool = False
    refuse_stream: bool = False
    times: Annotated[int, msgspec.Meta(ge=1)] | None = None

    def __post_init__(self) -> None:
        if (self.reason is not None) + self.cut + self.refuse_stream != 1:
            raise ValueError("choose one of `reason`, `cut` and `refuse_stream`")
        if self.reason is not None and self.reason not in STATUS_OF:
            raise ValueError("`reason` must be one of Apple's")
        if self.reason is None and self.retry_after_seconds is not None:
            raise ValueError("`retry_after_seconds` goes with a `reason`")

    @property
    def effect(self) -> str:
        """What it does, in words."""
        if self.cut:
            return "takes the push, then cuts the connection"
        return "refuses the stream" if self.refuse_stream else f"{STATUS_OF[self.reason or '']} {self.reason}"


@dataclass(slots=True, kw_only=True)
class Rule:
    """A fault in force, and how often it happened."""

    fault: Fault
    applied: int = 0

    def fits(self, token: str) -> bool:
        """Return whether the fault would happen to a device now."""
        used_up = self.fault.times is not None and self.applied >= self.fault.times
        return not used_up and fnmatchcase(token, self.fault.tokens)


class Faults:
    """The rules in force, in the order in which they were added."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []

    def __iter__(self) -> Iterator[Rule]:
        return iter(self._rules)

    def add(self, fault: Fault) -> Rule:
        """Put a fault in force, after those added before it."""
        rule = Rule(fault=fault)
        self._rules.append(rule)
        return rule

    def reset(self) -> None:
        """Have none in force."""
        self._rules.clear()

    def at(self, token: str) -> Fault | None:
        """Return what goes wrong with a push to this device, and count it."""
        rule = next((rule for rule in self._rules if rule.fits(token)), None)
        if rule is None:
            return None
        rule.applied += 1
        return rule.fault
