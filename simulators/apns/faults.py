"""What APNs may do wrong, as data. Pure: it says, the server acts."""

from fnmatch import fnmatchcase
from typing import Annotated

import msgspec

from simulators import faults
from simulators.apns.reasons import STATUS_OF


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that goes wrong, for which devices, and how often.

    `tokens` is a glob pattern. `reason` refuses, as Apple does; `retry_after_as_date` says `retry_after_seconds` as a
    date. `cut` takes the push and breaks the connection instead of answering; `refuse_stream` does not look at it
    (RST_STREAM with REFUSED_STREAM). `delay_seconds` takes the push and keeps the answer back. `times` is how often it
    happens; none is for ever.
    """

    tokens: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)] = "*"
    reason: str | None = None
    retry_after_seconds: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] | None = None
    retry_after_as_date: bool = False
    cut: bool = False
    refuse_stream: bool = False
    delay_seconds: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 0.0
    times: Annotated[int, msgspec.Meta(ge=1)] | None = None

    def __post_init__(self) -> None:
        if (self.reason is not None) + self.cut + self.refuse_stream + bool(self.delay_seconds) != 1:
            raise ValueError("choose one of `reason`, `cut`, `refuse_stream` and `delay_seconds`")
        if self.reason is not None and self.reason not in STATUS_OF:
            raise ValueError("`reason` must be one of Apple's")
        if self.reason is None and self.retry_after_seconds is not None:
            raise ValueError("`retry_after_seconds` goes with a `reason`")

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
    if fault.delay_seconds:
        return f"waits {fault.delay_seconds:g} s"
    if fault.cut:
        return "takes the push, then cuts the connection"
    return "refuses the stream" if fault.refuse_stream else f"{STATUS_OF[fault.reason or '']} {fault.reason}"
