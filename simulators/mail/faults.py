"""What an email API may do wrong, as data. Pure: it says, the routes act."""

from fnmatch import fnmatchcase
from typing import Annotated

import msgspec

from simulators import faults


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that goes wrong, for whom, and how often.

    `recipients` is a glob pattern; case does not matter. `status` refuses with this HTTP status, `error`, which is the
    provider's name of it, and `text`; `retry_after_as_date` says `retry_after_seconds` as a date. `drop` takes the mail
    and cuts the connection before the answer is whole. `delay_seconds` comes before the answer; alone, the mail counts
    as taken, whether or not the client waits for it. `times` is how often it happens; none is for ever.
    """

    recipients: Annotated[str, msgspec.Meta(min_length=1, max_length=320)] = "*"
    status: Annotated[int, msgspec.Meta(ge=400, le=599)] | None = None
    error: Annotated[str, msgspec.Meta(pattern="^[A-Za-z_]*$", max_length=64)] = ""
    text: Annotated[str, msgspec.Meta(max_length=400)] = ""
    retry_after_seconds: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] | None = None
    retry_after_as_date: bool = False
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

    @property
    def patterns(self) -> tuple[str, ...]:
        """Whom it meets: a glob."""
        return (self.recipients,)

    def meets(self, recipient: str) -> bool:
        """Return whether it is meant for this address."""
        return fnmatchcase(recipient.lower(), self.recipients.lower())


Faults = faults.Faults[Fault]


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
