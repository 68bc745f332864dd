"""Carries out decisions that were cut off: at the start what a crash left, later what a full or broken log refused."""

from datetime import datetime, timedelta

from loguru import logger

from dlq import items
from dlq.decisions import Decisions
from dlq.items import Item
from tocsin.clock import Clock
from tocsin.consume.stopping import Stop
from tocsin.errors import LogError, StoreUnavailable
from tocsin.store.engine import Store

_EVERY = timedelta(minutes=1)
# Whoever decided a moment ago is about to finish it. To finish it twice would do no harm, and no good either.
_GRACE = timedelta(minutes=1)
_PAGE = 100


class Resume:
    """A `consume.loop.Loop`: looks once when it starts, then every minute."""

    name = "dlq.resume"

    def __init__(self, *, store: Store, decisions: Decisions, clock: Clock) -> None:
        self._store = store
        self._decisions = decisions
        self._clock = clock
        self._stop = Stop(clock)

    def stop(self) -> None:
        """See the contract."""
        self._stop.request()

    async def run(self) -> None:
        """See the contract."""
        # What is outstanding at the start was most likely left by an earlier run of this process.
        grace = timedelta()
        while not self._stop.requested:
            try:
                await self.once(before=self._clock.now() - grace)
            except (LogError, StoreUnavailable) as error:
                logger.warning("dead_letters_not_resumed", error=str(error))
            grace = _GRACE
            await self._stop.pause(_EVERY)

    async def once(self, *, before: datetime) -> None:
        """Finish every letter that was decided up to `before`. Raises LogError, StoreUnavailable."""
        above: Item | None = None
        while not self._stop.requested:
            async with self._store.read() as connection:
                page = await items.outstanding(connection, before=before, above=above, limit=_PAGE)
            if not page:
                return
            for item in page:
                await self._finish(item)
            above = page[-1]

    async def _finish(self, item: Item) -> None:
        try:
            await self._decisions.finish(item)
        except (LogError, StoreUnavailable):
            raise
        except Exception as error:  # noqa: BLE001 - one that cannot be finished must not keep the others waiting
            logger.opt(exception=error).error("dead_letter_not_finished", dead_letter_id=item.id)
        else:
            logger.info("dead_letter_finished", dead_letter_id=item.id, state=item.state)
