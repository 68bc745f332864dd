"""What FCM may do wrong, as data. Pure: it says, the routes act."""

from fnmatch import fnmatchcase
from typing import Annotated

import msgspec

from simulators import faults
from simulators.fcm.errors import ErrorCode


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that goes wrong, for which devices, and how often.

    `tokens` is a glob pattern. `error` refuses; `retry_after_as_date` says `retry_after_seconds` as a date. `drop`
    takes the message and cuts the connection before the answer is whole. `delay_seconds` keeps the answer back; without
    an error the message counts as taken, whether or not the client waits for it. `times` is how often the fault
    happens; none is for ever.
    """

    tokens: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)] = "*"
    error: ErrorCode | None = None
    retry_after_seconds: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] | None = None
    retry_after_as_date: bool = False
    drop: bool = False
    delay_seconds: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 0.0
    times: Annotated[int, msgspec.Meta(ge=1)] | None = None

    def __post_init__(self) -> None:
        if self.error is not None and self.drop:
            raise ValueError("choose one of `error` and `drop`")
        if self.error is None and not self.drop and not self.delay_seconds:
            raise ValueError("choose one of `error` and `drop`, or give a `delay_seconds`")
        if self.error is None and self.retry_after_seconds is not None:
            raise ValueError("`retry_after_seconds` goes with an `error`")

    @property
    def patterns(self) -> tuple[str, ...]:
        """Which devices it meets: a glob."""
        return (self.tokens,)

    def meets(self, token: str) -> bool:
        """Return whether it is meant for this device."""
        return fnmatchcase(token, self.tokens)


Faults = faults.Faults[Fault]


def effect(fault: Fault) -> str:
    """Return what a fault does, in words."""
    words = [f"waits {fault.delay_seconds} s"] if fault.delay_seconds else []
    if fault.drop:
        words.append("takes it, then hangs up")
    return ", ".join([*words, fault.error] if fault.error else words)
