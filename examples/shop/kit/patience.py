"""How a loop waits: for something to do, after a failure longer each time, and never past the wish to stop."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from loguru import logger

from tocsin.clock import Clock
from tocsin.eventlog.port import Subscription

_FIRST = timedelta(milliseconds=500)
_LONGEST = timedelta(seconds=10)


class Patience:
    """Belongs to one loop. `detail` is why nothing works, else empty."""

    def __init__(self, clock: Clock, *, name: str) -> None:
        self._clock = clock
        self._name = name
        self._woken = asyncio.Event()
        self._pause = _FIRST
        self._hurry: Callable[[], None] | None = None
        self.stopping = False
        self.detail = ""

    def stop(self) -> None:
        """Ask the loop to end."""
        self.stopping = True
        self._woken.set()
        if self._hurry is not None:
            self._hurry()

    def hurries(self, subscription: Subscription) -> None:
        """Let the subscription wait no more once the loop is asked to end."""
        self._hurry = subscription.hurry
        if self.stopping:
            self._hurry()

    def wake(self) -> None:
        """Tell the loop that there is something to do; also while it does not wait."""
        self._woken.set()

    async def wait(self, most: timedelta) -> None:
        """Return once woken, or after `most` by the clock. Returns at once if it was woken since the last wait."""
        if not self._woken.is_set():
            timer = self._clock.call_at(self._clock.now() + most, self._woken.set)
            try:
                await self._woken.wait()
            finally:
                timer.cancel()
        if not self.stopping:
            self._woken.clear()

    async def failed(self, error: Exception) -> None:
        """Take note of a failure, and wait before the next try."""
        if not self.detail:
            logger.error("shop_halted", loop=self._name, error=str(error))
        self.detail = str(error)
        pause, self._pause = self._pause, min(self._pause * 2, _LONGEST)
        await self._rest(pause)

    def worked(self) -> None:
        """Take note that something worked."""
        if self.detail:
            logger.info("shop_resumed", loop=self._name)
        self.detail = ""
        self._pause = _FIRST

    async def _rest(self, pause: timedelta) -> None:
        """Wait, and let nobody but the wish to stop cut it short: new work would only fail the same way."""
        until = self._clock.now() + pause
        while not self.stopping and self._clock.now() < until:
            self._woken.clear()
            await self.wait(until - self._clock.now())
