"""From the log into a service: the events and the offsets in one transaction, so that a crash repeats or keeps both.

The database's offsets are the truth; the log is told the same ones afterwards, because retention and lag look there.
Several copies of a service are one group: each partition is read by one of them at a time. A copy that lost a
partition and does not know it yet can do no harm, for every event is taken once (`inbox`).
"""

import asyncio
from collections.abc import Collection, Sequence
from datetime import timedelta

from loguru import logger
from sqlalchemy import delete

from examples.shop.kit import events, inbox, reading, tables, topics
from examples.shop.kit.database import Collision, DatabaseUnavailable
from examples.shop.kit.inbox import Reaction
from examples.shop.kit.metrics import ShopMetrics
from examples.shop.kit.patience import Patience
from examples.shop.kit.unit import Units
from tocsin.clock import to_ms
from tocsin.errors import CommitFenced, LogError
from tocsin.eventlog.port import EventLog, Subscription
from tocsin.record import Partition, Received

_LIMIT = 200
_WAIT = timedelta(milliseconds=200)
_SWEEP_EVERY_SECONDS = 3600
# Longer than any log of the shop keeps its records, so that what is read again is known.
_REMEMBERED = timedelta(days=30)


class Consumer:
    """One service's loop from the topics that it reads. `heard` names them."""

    def __init__(
        self,
        *,
        service: str,
        heard: Sequence[str],
        log: EventLog,
        units: Units,
        reaction: Reaction,
        metrics: ShopMetrics,
    ) -> None:
        self._service = service
        self._heard = heard
        self._log = log
        self._units = units
        self._reaction = reaction
        self._metrics = metrics
        # Offsets are of one log: a new log under an old database is read from its beginning.
        self._reader = f"{topics.group(service)}@{log.identity}"
        self._patience = Patience(units.clock, name=self.name)
        # Held while a batch is written: a partition is not given away in the middle of that.
        self._busy = asyncio.Lock()
        self._next: dict[Partition, int] = {}
        self._unplaced: set[Partition] = set()
        # Whose offsets the database has, and the log has not heard of yet.
        self._untold: set[Partition] = set()
        self._swept = units.clock.monotonic()

    @property
    def name(self) -> str:
        """See `Loop`."""
        return f"shop-{self._service}-events"

    @property
    def healthy(self) -> bool:
        """See `Loop`."""
        return not self._patience.detail

    @property
    def detail(self) -> str:
        """See `Loop`."""
        return self._patience.detail

    def stop(self) -> None:
        """See `Loop`. What is in hand and not written comes again with the next start."""
        self._patience.stop()

    async def run(self) -> None:
        """See `Loop`."""
        async with self._log.subscribe(
            self._heard,
            group=topics.group(self._service),
            on_assigned=self._on_assigned,
            on_revoked=self._on_revoked,
        ) as subscription:
            self._patience.hurries(subscription)
            while not self._patience.stopping:
                await self._round(subscription)

    async def _round(self, subscription: Subscription) -> None:
        batch: Sequence[Received] = ()
        try:
            await self._place(subscription)
            await self._sweep()
            # Only what is placed: what is assigned meanwhile must be placed before its first record is taken.
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
            self._untold.difference_update(partitions)

    async def _place(self, subscription: Subscription) -> None:
        """Move newly assigned partitions to where the database says that the service stands in them."""
        if not self._unplaced:
            return
        async with self._busy:
            placing = frozenset(self._unplaced)
            async with self._units.database.begin() as connection:
                kept = await reading.load(connection, self._reader)
            # What was revoked while the database answered waits for the lock, so all of these are still ours.
            await subscription.seek({place: kept.get(place, 0) for place in placing})
            self._next.update({place: kept.get(place, 0) for place in placing})
            self._unplaced -= placing
            # A crash may have come between the transaction and the log.
            self._untold |= placing & kept.keys()
            await self._tell_log(subscription)

    async def _take(self, subscription: Subscription, batch: Sequence[Received]) -> None:
        async with self._busy:
            if ours := [each for each in batch if each.offset >= self._next.get(each.place, each.offset + 1)]:
                await self._write(ours)
            await self._tell_log(subscription)
        self._patience.worked()

    async def _write(self, batch: Sequence[Received]) -> None:
        """Take a batch in one transaction; if that fails, each record in its own, down to the one that is at fault."""
        try:
            await self._write_together(batch)
        except Collision:
            if len(batch) == 1:
                raise
            await self._write_apart(batch)
        except DatabaseUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a record provokes, the next one must get its turn
            if len(batch) == 1:
                await self._keep_unreadable(batch[0], error)
            else:
                await self._write_apart(batch)

    async def _write_apart(self, batch: Sequence[Received]) -> None:
        for received in batch:
            await self._write([received])

    async def _write_together(self, batch: Sequence[Received]) -> None:
        wanted = [received for received in batch if self._wants(received)]
        results: list[tuple[str, inbox.Result]] = []
        if wanted:
            async with self._units.begin() as unit:
                results = [
                    (event.type, await inbox.take(unit, event, self._reaction))
                    for event in _in_turn([events.read(received) for received in wanted])
                ]
                await reading.advance(unit.connection, self._reader, _ends(batch))
        # What nobody wants moves no offset of the database's; after a restart it is passed again.
        self._passed(batch)
        for kind, result in results:
            self._metrics.taken.labels(self._service, kind, result).inc()

    def _wants(self, received: Received) -> bool:
        """Return whether it is an event that the service reacts to, or none at all."""
        kind = events.type_of(received)
        return kind in self._reaction.types or kind not in events.TYPES

    async def _keep_unreadable(self, received: Received, error: Exception) -> None:
        async with self._units.begin() as unit:
            reason = str(error) if isinstance(error, events.UnreadableEvent) else type(error).__name__
            await reading.keep_unreadable(unit.connection, self._reader, received, reason=reason, now=unit.now)
            await reading.advance(unit.connection, self._reader, _ends([received]))
        self._passed([received])
        self._metrics.taken.labels(self._service, "", "unreadable").inc()
        place = "/".join(map(str, received.source))
        # An error's text may quote the record; its type does not.
        logger.error("shop_event_unreadable", service=self._service, source=place, error=type(error).__name__)

    def _passed(self, batch: Sequence[Received]) -> None:
        ends = _ends(batch)
        self._next.update(ends)
        self._untold.update(ends)

    async def _tell_log(self, subscription: Subscription) -> None:
        if not self._untold:
            return
        try:
            await subscription.commit({place: self._next[place] for place in self._untold})
            self._untold.clear()
        except CommitFenced:
            logger.debug("shop_commit_fenced", service=self._service)
        except LogError as error:
            # The database has the offsets that count; the next batch tells the log again.
            logger.warning("shop_commit_failed", service=self._service, error=str(error))

    async def _sweep(self) -> None:
        """Now and then, forget the ids of events that cannot come again."""
        if self._units.clock.monotonic() - self._swept < _SWEEP_EVERY_SECONDS:
            return
        self._swept = self._units.clock.monotonic()
        before = to_ms(self._units.clock.now() - _REMEMBERED)
        async with self._units.begin() as unit:
            await unit.connection.execute(delete(tables.inbox).where(tables.inbox.c.taken_at_ms < before))


def _in_turn(taken: Sequence[events.Event]) -> list[events.Event]:
    """Return the events sorted by subject, those of one subject in their order.

    Copies that share a database then lock the rows of several orders in the same turn, and do not wait for each other.
    """
    return sorted(taken, key=lambda event: event.subject)


def _ends(batch: Sequence[Received]) -> dict[Partition, int]:
    """Return the offset after the last record of each partition. Each partition's records are in order."""
    return {received.place: received.offset + 1 for received in batch}
