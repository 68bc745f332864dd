"""What FCM may do wrong, as data. Pure: it says, the routes act."""

from fnmatch import fnmatchcase
from typing import Annotated

import msgspec

from simulators import faults
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
    return ", ".join([*words, fault.error] if fault.error else words)
