"""The loop that looks whether the rule files have changed, and puts them to use without a restart."""

import asyncio
from datetime import timedelta

from loguru import logger

from producer.rules.book import RuleBook
from tocsin.clock import Clock
from tocsin.consume.stopping import Stop
from tocsin.observe.metrics import Metrics

# A change is used once two looks have found it alike: what differs is still being written.
_EVERY = timedelta(seconds=1)


class Reloading:
    """A `consume.loop.Loop`. Files that cannot be used change nothing but what is told, until they are mended."""

    name = "producer.rules.files"

    def __init__(self, book: RuleBook, *, clock: Clock, metrics: Metrics) -> None:
        self._book = book
        self._seen = book.taken
        self._metrics = metrics
        self._stop = Stop(clock)
        self._count()

    def stop(self) -> None:
        """See the contract."""
        self._stop.request()

    async def run(self) -> None:
        """See the contract."""
        while not self._stop.requested:
            await self.look()
            await self._stop.pause(_EVERY)

    async def look(self) -> None:
        """Look at the files once."""
        away = self._book.detail
        # The folder may be at the other end of a network.
        found = await asyncio.to_thread(self._book.files)
        if found is None:
            if not away:
                logger.error("rules_unreadable", detail=self._book.detail)
            return
        rests, self._seen = found == self._seen, found
        if rests and found != self._book.taken:
            await asyncio.to_thread(self._book.read, found)
            self._tell()

    def _tell(self) -> None:
        self._count()
        for path, mistakes in self._book.mistakes.items():
            logger.error("rules_refused", file=path.name, errors=[str(mistake) for mistake in mistakes])
        logger.info("rules_reloaded", rules=len(self._book.rules), refused=len(self._book.mistakes))

    def _count(self) -> None:
        self._metrics.rules.set(len(self._book.rules))
        self._metrics.rules_refused.set(len(self._book.mistakes))
