"""What a fault of a push service has, whichever service it is. Pure."""

from fnmatch import fnmatchcase
from typing import Annotated

import msgspec


class DeviceFault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that goes wrong, for which devices, and how often.

    `tokens` is a glob pattern. `retry_after_as_date` says `retry_after_seconds` as a date. `delay_seconds` keeps the
    answer back. `times` is how often it happens; none is for ever.
    """

    tokens: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)] = "*"
    retry_after_seconds: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] | None = None
    retry_after_as_date: bool = False
    delay_seconds: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 0.0
    times: Annotated[int, msgspec.Meta(ge=1)] | None = None

    @property
    def patterns(self) -> tuple[str, ...]:
        """Which devices it meets: a glob."""
        return (self.tokens,)

    def meets(self, token: str) -> bool:
        """Return whether it is meant for this device."""
        return fnmatchcase(token, self.tokens)
