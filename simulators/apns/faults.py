"""What APNs may do wrong, as data. Pure: it says, the server acts."""

from simulators import faults
from simulators.apns.reasons import STATUS_OF
from simulators.device_faults import DeviceFault


class Fault(DeviceFault, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """See `DeviceFault`. Of `reason`, `cut`, `refuse_stream` and `delay_seconds` it has one.

    `reason` refuses, as Apple does. `cut` takes the push and breaks the connection instead of answering;
    `refuse_stream` does not look at it (RST_STREAM with REFUSED_STREAM). With `delay_seconds` the push is taken.
    """

    reason: str | None = None
    cut: bool = False
    refuse_stream: bool = False

    def __post_init__(self) -> None:
        if (self.reason is not None) + self.cut + self.refuse_stream + bool(self.delay_seconds) != 1:
            raise ValueError("choose one of `reason`, `cut`, `refuse_stream` and `delay_seconds`")
        if self.reason is not None and self.reason not in STATUS_OF:
            raise ValueError("`reason` must be one of Apple's")
        if self.reason is None and self.retry_after_seconds is not None:
            raise ValueError("`retry_after_seconds` goes with a `reason`")


Faults = faults.Faults[Fault]


def effect(fault: Fault) -> str:
    """Return what a fault does, in words."""
    if fault.delay_seconds:
        return f"waits {fault.delay_seconds:g} s"
    if fault.cut:
        return "takes the push, then cuts the connection"
    return "refuses the stream" if fault.refuse_stream else f"{STATUS_OF[fault.reason or '']} {fault.reason}"
