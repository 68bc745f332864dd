"""The wish to stop, told once: a loop that waits with it wakes at once when it comes."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from tocsin.clock import Clock
from tocsin.eventlog.port import Subscription


class Stop:
    """Belongs to one loop. May be requested before the loop runs, and twice."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._woken = asyncio.Event()
        self._requested = False
        self._hurry: Callable[[], None] | None = None

    @property
    def requested(self) -> bool:
        """Whether the loop is to end."""
        return self._requested

    def request(self) -> None:
        """Ask the loop to end."""
        self._requested = True
        self._woken.set()
        if self._hurry is not None:
            self._hurry()

    def hurries(self, subscription: Subscription) -> None:
        """Let the subscription wait no more once a stop is requested."""
        self._hurry = subscription.hurry
        if self._requested:
            self._hurry()

    async def repeat(self, do: Callable[[], Awaitable[None]], *, every: timedelta) -> None:
        """Do it, pause for `every`, and do it again, until a stop is requested. What it raises ends that."""
        while not self._requested:
            await do()
            await self.pause(every)

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
