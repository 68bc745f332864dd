"""Deletes what has lain in inboxes for longer than they keep it, a few hundred messages a transaction."""

from datetime import timedelta

from loguru import logger

from channels.browser.inbox import Inboxes
from tocsin.clock import Clock
from tocsin.consume.stopping import Stop
from tocsin.errors import StoreUnavailable

_BATCH = 500
_INTERVAL = timedelta(hours=1)


class InboxRetention:
    """Fulfils `consume.loop.Loop`."""

    name = "browser.inbox_retention"

    def __init__(self, inboxes: Inboxes, *, clock: Clock, keep: timedelta) -> None:
        self._inboxes = inboxes
        self._clock = clock
        self._keep = keep
        self._stop = Stop(clock)

    def stop(self) -> None:
        """See `Loop`."""
        self._stop.request()

    async def run(self) -> None:
        """See `Loop`."""
        await self._stop.repeat(self._sweep, every=_INTERVAL)

    async def _sweep(self) -> None:
        try:
            logger.debug("inboxes_swept", messages=await self.sweep())
        except StoreUnavailable as error:
            logger.warning("inbox_sweep_failed", error=str(error))

    async def sweep(self) -> int:
        """Delete all that is too old, unless stopped. Returns how many messages went. May raise StoreUnavailable."""
        before = self._clock.now() - self._keep
        deleted = 0
        while not self._stop.requested:
            found = await self._inboxes.drop_older(before, limit=_BATCH)
            deleted += found
            if found < _BATCH:
                break
        return deleted
