"""The wish to stop, told once: a loop that waits with it wakes at once when it comes."""

import asyncio
from datetime import timedelta

from tocsin.clock import Clock


class Stop:
    """Belongs to one loop. May be requested before the loop runs, and twice."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._woken = asyncio.Event()
        self._requested = False

    @property
    def requested(self) -> bool:
        """Whether the loop is to end."""
        return self._requested

    def request(self) -> None:
        """Ask the loop to end."""
        self._requested = True
        self._woken.set()

    async def pause(self, delay: timedelta) -> None:
        """Return after `delay` by the clock, or as soon as a stop is requested."""
        if self._requested or not delay:
            return
        self._woken.clear()
        timer = self._clock.call_at(self._clock.now() + delay, self._woken.set)
        try:
            await self._woken.wait()
        finally:
            timer.cancel()
