"""What time is, as far as Tocsin is concerned. The system clock is in `runtime`, the manual one in the tests."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Timer(Protocol):
    """A callback that waits for its time."""

    def cancel(self) -> None:
        """Forget the callback. Does nothing after it ran."""


class Clock(Protocol):
    """Wall time, monotonic time and waiting, in one place so that tests can move all three together."""

    def now(self) -> datetime:
        """Return the time of day: aware, in UTC."""

    def monotonic(self) -> float:
        """Return seconds that never go back, from an arbitrary start."""

    def call_at(self, when: datetime, callback: Callable[[], None]) -> Timer:
        """Call `callback` once, on the running loop, as soon as `now() >= when`."""

    async def sleep(self, delay: timedelta) -> None:
        """Return after `delay` by this clock."""


def to_ms(moment: datetime) -> int:
    """Return an aware datetime as whole milliseconds since 1970 (rounded down)."""
    return (moment - _EPOCH) // _MILLISECOND


def to_ms_up(moment: datetime) -> int:
    """The same, rounded up: for what must not become earlier by being written down."""
    return -((_EPOCH - moment) // _MILLISECOND)


def from_ms(milliseconds: int) -> datetime:
    """Return milliseconds since 1970 as an aware datetime in UTC. Raises OverflowError outside years 1 to 9999."""
    return _EPOCH + timedelta(milliseconds=milliseconds)


# The events of one notification share their times.
@lru_cache(maxsize=256)
def rfc3339(moment: datetime) -> str:
    """Return an aware UTC datetime as RFC 3339 with milliseconds and `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def from_rfc3339(text: str) -> datetime | None:
    """Return an RFC 3339 time with an offset as an aware datetime in UTC, None if it is none."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
