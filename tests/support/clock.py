"""A clock that moves when told."""

import asyncio
import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count


class ManualTimer:
    """A callback of a manual clock."""

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Forget the callback."""
        self.callback = None


class ManualClock:
    """Fulfils `tocsin.clock.Clock`."""

    def __init__(self, start: datetime = datetime(2030, 1, 1, tzinfo=UTC)) -> None:
        self._start = start
        self._now = start
        self._order = count()
        self._timers: list[tuple[datetime, int, ManualTimer]] = []

    def now(self) -> datetime:
        """The time it was set to."""
        return self._now

    def monotonic(self) -> float:
        """Seconds since it was made."""
        return (self._now - self._start).total_seconds()

    def call_at(self, when: datetime, callback: Callable[[], None]) -> ManualTimer:
        """Call back once the clock was moved to `when`."""
        timer = ManualTimer(callback)
        heapq.heappush(self._timers, (when, next(self._order), timer))
        if when <= self._now:
            asyncio.get_running_loop().call_soon(self._fire)
        return timer

    async def sleep(self, delay: timedelta) -> None:
        """Return once the clock was moved past the delay."""
        woken = asyncio.Event()
        timer = self.call_at(self._now + delay, woken.set)
        try:
            await woken.wait()
        finally:
            timer.cancel()

    def advance(self, delta: timedelta) -> None:
        """Move on, calling back on the way in the order of time."""
        target = self._now + delta
        while self._timers and self._timers[0][0] <= target:
            self._now = max(self._now, self._timers[0][0])
            self._fire()
        self._now = target

    def next_due(self) -> datetime | None:
        """Return when the next callback is due."""
        waiting = [when for when, _, timer in self._timers if timer.callback is not None]
        return min(waiting, default=None)

    def _fire(self) -> None:
        while self._timers and self._timers[0][0] <= self._now:
            _, _, timer = heapq.heappop(self._timers)
            callback, timer.callback = timer.callback, None
            if callback is not None:
                callback()
