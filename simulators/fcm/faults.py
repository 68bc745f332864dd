"""What FCM may do wrong, as data. Pure: it says, the routes act."""

from simulators import faults
from simulators.device_faults import DeviceFault
from simulators.fcm.errors import ErrorCode


class Fault(DeviceFault, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """See `DeviceFault`. `error` refuses, `drop` takes the message and cuts the connection amid the answer.

    With `delay_seconds` and without an error the message counts as taken, whether or not the client waits for it.
    """

    error: ErrorCode | None = None
    drop: bool = False

    def __post_init__(self) -> None:
        if self.error is not None and self.drop:
            raise ValueError("choose one of `error` and `drop`")
        if self.error is None and not self.drop and not self.delay_seconds:
            raise ValueError("choose one of `error` and `drop`, or give a `delay_seconds`")
        if self.error is None and self.retry_after_seconds is not None:
            raise ValueError("`retry_after_seconds` goes with an `error`")


Faults = faults.Faults[Fault]


def effect(fault: Fault) -> str:
    """Return what a fault does, in words."""
    words = [f"waits {fault.delay_seconds} s"] if fault.delay_seconds else []
    if fault.drop:
        words.append("takes it, then hangs up")
    return ", ".join([*words, fault.error] if fault.error else words)
