"""The clock of the system."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from tocsin.clock import Timer

# A timer counts by the monotonic clock, and the time of day may be set meanwhile: look again at least this often.
_LONGEST_STEP = 30.0


class SystemClock:
    """Fulfils `tocsin.clock.Clock`."""

    def now(self) -> datetime:
        """See `Clock`."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """See `Clock`."""
        return time.monotonic()

    def call_at(self, when: datetime, callback: Callable[[], None]) -> Timer:
        """See `Clock`."""
        timer = _SystemTimer(self, when, callback)
        timer.arm()
        return timer

    async def sleep(self, delay: timedelta) -> None:
        """See `Clock`."""
        await asyncio.sleep(delay.total_seconds())


class _SystemTimer:
    """A callback by the time of day, armed in steps on the running loop."""

    def __init__(self, clock: SystemClock, when: datetime, callback: Callable[[], None]) -> None:
        self._clock = clock
        self._when = when
        self._callback = callback
        self._handle: asyncio.TimerHandle | None = None

    def arm(self) -> None:
        """Wait for the rest, or for one step of it."""
        rest = (self._when - self._clock.now()).total_seconds()
        self._handle = asyncio.get_running_loop().call_later(min(max(rest, 0.0), _LONGEST_STEP), self._fire)

    def cancel(self) -> None:
        """See `Timer`."""
        if self._handle is not None:
            self._handle.cancel()

    def _fire(self) -> None:
        if self._clock.now() < self._when:
            self.arm()
        else:
            self._callback()
