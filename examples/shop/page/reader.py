"""From the log into the feed: what was read and how far, in one transaction, so that a crash repeats or keeps both.

An event whose key is there already is kept once. So a copy that lost a partition, and does not know it yet, does no
harm; and what cannot be read is passed over: the services themselves keep it, and here it is only not shown.
"""

import asyncio
from collections.abc import Collection, Sequence
from datetime import timedelta

from loguru import logger

from examples.shop.kit import reading, topics
from examples.shop.kit.database import Database, DatabaseUnavailable
from examples.shop.kit.events import UnreadableEvent
from examples.shop.kit.patience import Patience
from examples.shop.page import feed, happening
from examples.shop.page.happening import Happening
from examples.shop.page.hub import Hub
from tocsin.clock import Clock
from tocsin.errors import CommitFenced, LogError
from tocsin.eventlog.port import EventLog, Subscription
from tocsin.record import Partition, Received

_LIMIT = 500
_WAIT = timedelta(milliseconds=500)
_FORGET_EVERY = 2000
_GROUP = "page"


class Reader:
    """Fulfils `kit.service.Loop`: reads the topics of the shop, and the gateway's audit."""

    name = "shop-page-events"

    def __init__(self, *, heard: Sequence[str], log: EventLog, database: Database, hub: Hub, clock: Clock) -> None:
        self._heard = [*heard, happening.AUDIT]
        self._log = log
        self._database = database
        self._hub = hub
        self._reader = f"{topics.group(_GROUP)}@{log.identity}"
        self._patience = Patience(clock, name=self.name)
        # Held while a batch is written: a partition is not given away in the middle of that.
        self._busy = asyncio.Lock()
        self._next: dict[Partition, int] = {}
        self._unplaced: set[Partition] = set()
        # The first batch makes room, or a page that is restarted often would never do it.
        self._added = _FORGET_EVERY

    @property
    def healthy(self) -> bool:
        """See `Loop`."""
        return not self._patience.detail

    @property
    def detail(self) -> str:
        """See `Loop`."""
        return self._patience.detail

    def stop(self) -> None:
        """See `Loop`. The browsers are sent away, to come back when the shop is there again."""
        self._hub.close()
        self._patience.stop()

    async def run(self) -> None:
        """See `Loop`."""
        async with self._log.subscribe(
            self._heard, group=topics.group(_GROUP), on_assigned=self._on_assigned, on_revoked=self._on_revoked
        ) as subscription:
            self._patience.hurries(subscription)
            while not self._patience.stopping:
                await self._round(subscription)

    async def _round(self, subscription: Subscription) -> None:
        batch: Sequence[Received] = ()
        try:
            await self._place(subscription)
            batch = await subscription.fetch(limit=_LIMIT, wait=_WAIT, only=list(self._next))
            self._patience.worked()
        except (LogError, DatabaseUnavailable) as error:
            await self._patience.failed(error)
        while batch and not self._patience.stopping:
            try:
                await self._take(subscription, batch)
                break
            except DatabaseUnavailable as error:
                await self._patience.failed(error)

    async def _on_assigned(self, partitions: Collection[Partition]) -> None:
        self._unplaced.update(partitions)

    async def _on_revoked(self, partitions: Collection[Partition]) -> None:
        async with self._busy:
            for partition in partitions:
                self._next.pop(partition, None)
            self._unplaced.difference_update(partitions)

    async def _place(self, subscription: Subscription) -> None:
        """Move newly assigned partitions to where the database says that the page stands in them."""
        if not self._unplaced:
            return
        async with self._busy:
            placing = frozenset(self._unplaced)
            async with self._database.begin() as connection:
                kept = await reading.load(connection, self._reader)
            places = {place: kept.get(place, 0) for place in placing}
            await subscription.seek(places)
            self._next.update(places)
            self._unplaced -= placing

    async def _take(self, subscription: Subscription, batch: Sequence[Received]) -> None:
        async with self._busy:
            ours = [each for each in batch if each.offset >= self._next.get(each.place, each.offset + 1)]
            if not ours:
                return
            ends = {each.place: each.offset + 1 for each in ours}
            await self._write(list(filter(None, map(_read, ours))), ends)
            self._next.update(ends)
            await self._tell_log(subscription, ends)
        self._hub.wake()
        self._patience.worked()

    async def _write(self, happenings: Sequence[Happening], ends: dict[Partition, int]) -> None:
        self._added += len(happenings)
        async with self._database.begin() as connection:
            await feed.add(connection, happenings)
            await reading.advance(connection, self._reader, ends)
            if self._added >= _FORGET_EVERY:
                await feed.forget(connection)
                self._added = 0

    async def _tell_log(self, subscription: Subscription, ends: dict[Partition, int]) -> None:
        """Tell the log how far we are: retention and lag look there. The database has the offsets that count."""
        try:
            await subscription.commit(ends)
        except CommitFenced:
            logger.debug("shop_commit_fenced", service=_GROUP)
        except LogError as error:
            logger.warning("shop_commit_failed", service=_GROUP, error=str(error))


def _read(received: Received) -> Happening | None:
    try:
        return happening.read(received)
    except UnreadableEvent as error:
        logger.warning("shop_event_not_shown", source="/".join(map(str, received.source)), error=str(error))
        return None
