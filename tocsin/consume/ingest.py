"""From the log into SQL, in batches: rows and offsets in one transaction, so that a crash repeats or keeps both.

The store's offsets are the truth; the log is told the same ones afterwards, because retention and lag look there.
What a sink cannot take is narrowed down to the record that is at fault, which is kept as bytes and passed. While the
store cannot be used nothing is passed: the batch waits in hand, and then in the log.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple, Protocol

from loguru import logger
from sqlalchemy.ext.asyncio import AsyncConnection

from tocsin.clock import Clock
from tocsin.consume.stopping import Stop
from tocsin.consume.trouble import Trouble
from tocsin.errors import CommitFenced, LogError, StoreUnavailable
from tocsin.eventlog.port import EventLog, Subscription
from tocsin.observe.metrics import Metrics
from tocsin.record import Partition, Received
from tocsin.store import offsets, quarantine
from tocsin.store.engine import Store

_WAIT = timedelta(milliseconds=500)
# A transaction costs some 3 ms of CPU whatever is in it, so what comes is gathered: a trickle for a moment, and a
# stream for longer, in which nobody waits for a single row.
_LINGER = timedelta(milliseconds=50)
_STREAM = 12
_STREAM_LINGER = timedelta(milliseconds=150)
# So long may the log wait for more before it brings a few. Whoever asks for what he has just done waits for that too.
_GATHER = timedelta(milliseconds=100)
# What nobody wants moves the offsets that the store keeps only now and then; after a restart it is passed again.
_PASS = 20_000


class Sink(Protocol):
    """Turns records into rows."""

    @property
    def name(self) -> str:
        """The label of its metrics, and its name in the quarantine."""

    def wants(self, received: Received) -> bool:
        """Return whether the record would change anything. What is not wanted is passed without a transaction."""

    async def write(self, connection: AsyncConnection, batch: Sequence[Received]) -> None:
        """Write the batch on a transaction that the caller commits.

        Called with records of one or more partitions, each partition's in order. The same records may come again, and
        then must change nothing. StoreUnavailable has the same batch come again; any other exception says that the
        batch holds a record that cannot be written, and has it come again in halves.
        """


class _Hand(NamedTuple):
    """What a fetch brought, and the partitions that were given away since it began: what is theirs comes again."""

    batch: Sequence[Received]
    gone: Collection[Partition]


def kept_as(group: str, log: EventLog) -> str:
    """Return the name of a group's offsets in the store: of one log, for a new one is read from its beginning."""
    return f"{group}@{log.identity}"


def _nobody(_batch: Sequence[Received]) -> None:
    pass


class Ingest:
    """One sink's loop. `on_committed` is called with every batch, once its rows are there to be read.

    `gather` is how long the log may wait for more before it brings a few records: longer where they are many and nobody
    waits for what becomes of them, not at all where they are few.
    """

    def __init__(
        self,
        *,
        name: str,
        topics: Sequence[str],
        group: str,
        log: EventLog,
        store: Store,
        sink: Sink,
        metrics: Metrics,
        clock: Clock,
        limit: int = 200,
        gather: timedelta = _GATHER,
        on_committed: Callable[[Sequence[Received]], None] = _nobody,
    ) -> None:
        self._name = name
        self._topics = topics
        self._group = group
        self._kept_as = kept_as(group, log)
        self._log = log
        self._store = store
        self._sink = sink
        self._clock = clock
        self._limit = limit
        self._gather = gather
        self._on_committed = on_committed
        self._ingested = metrics.ingested(sink.name)
        self._quarantined = metrics.ingest_quarantined(sink.name)
        self._stop = Stop(clock)
        self._trouble = Trouble(self._stop, group=group)
        # Held while a batch is written and committed: a partition is not given away in the middle of that.
        self._busy = asyncio.Lock()
        self._next: dict[Partition, int] = {}
        self._passed = 0
        self._unplaced: set[Partition] = set()
        # Whose offsets the store has and the log has not heard of yet.
        self._untold: set[Partition] = set()
        self._gone: set[Partition] = set()

    @property
    def name(self) -> str:
        """See `Loop`."""
        return self._name

    @property
    def healthy(self) -> bool:
        """Whether the last thing that was tried worked."""
        return not self._trouble.detail

    @property
    def detail(self) -> str:
        """Why it is not healthy, else empty."""
        return self._trouble.detail

    def stop(self) -> None:
        """See `Loop`. What is in hand and not written comes again with the next start."""
        self._stop.request()

    async def run(self) -> None:
        """See `Loop`."""
        async with self._log.subscribe(
            self._topics,
            group=self._group,
            on_assigned=self._on_assigned,
            on_revoked=self._on_revoked,
            gather=self._gather,
        ) as subscription:
            self._stop.hurries(subscription)
            ahead: asyncio.Task[_Hand | None] | None = None
            try:
                while not self._stop.requested:
                    hand, ahead = await (ahead or self._fetched(subscription)), None
                    if hand is None:
                        continue
                    # Said here, not by the fetch: one that reads ahead knows nothing of the write beside it.
                    self._trouble.over()
                    # A whole batch says that more lies there, which is read while this is written.
                    full = len(hand.batch) >= self._limit
                    ahead = asyncio.create_task(self._fetched(subscription), name=self._name) if full else None
                    await self._put(subscription, hand)
            finally:
                if ahead is not None:
                    await ahead

    async def _fetched(self, subscription: Subscription) -> _Hand | None:
        """Return what the log has next, None if it could not be read."""
        gone = self._gone = set()
        try:
            await self._place(subscription)
            # Only what is placed: what is assigned meanwhile must be placed before its first record is taken.
            batch = await subscription.fetch(limit=self._limit, wait=_WAIT, only=list(self._next))
        except (LogError, StoreUnavailable) as error:
            await self._trouble.met(error)
            return None
        return _Hand(batch, gone)

    async def _put(self, subscription: Subscription, hand: _Hand) -> None:
        batch = [received for received in hand.batch if received.place not in hand.gone] if hand.gone else hand.batch
        while batch and not self._stop.requested:
            try:
                await self._take(subscription, batch)
                break
            except StoreUnavailable as error:
                await self._trouble.met(error)
        if 0 < len(batch) < self._limit:
            await self._stop.pause(_LINGER if len(batch) < _STREAM else _STREAM_LINGER)

    async def _on_assigned(self, partitions: Collection[Partition]) -> None:
        self._unplaced.update(partitions)

    async def _on_revoked(self, partitions: Collection[Partition]) -> None:
        async with self._busy:
            self._gone.update(partitions)
            for partition in partitions:
                self._next.pop(partition, None)
            self._unplaced.difference_update(partitions)
            self._untold.difference_update(partitions)

    async def _place(self, subscription: Subscription) -> None:
        """Move newly assigned partitions to where the store says that the sink stands in them."""
        if not self._unplaced:
            return
        async with self._busy:
            placing = frozenset(self._unplaced)
            async with self._store.read() as connection:
                kept = await offsets.load(connection, self._kept_as)
            # What was revoked while the store answered waits for the lock, so all of these are still ours.
            # One that the store does not know is read from its beginning: the store may be new under an old log.
            await subscription.seek({p: kept.get(p, 0) for p in placing})
            self._next.update({p: kept.get(p, 0) for p in placing})
            self._unplaced -= placing
            # A crash may have come between the rows and the log.
            self._untold |= placing & kept.keys()
            await self._tell_log(subscription)

    async def _take(self, subscription: Subscription, batch: Sequence[Received]) -> None:
        """Write what of the batch is ours and not written yet, then tell the log."""
        async with self._busy:
            ours = self._ours(batch)
            wanted = [r for r in ours if self._sink.wants(r)]
            self._passed += len(ours) - len(wanted)
            if wanted or self._passed >= _PASS:
                await self._write(ours)
                self._passed = 0
            elif ours:
                self._written(ours)
                self._ingested.inc(len(ours))
            await self._tell_log(subscription)
        self._trouble.over()

    def _ours(self, batch: Sequence[Received]) -> list[Received]:
        """Return what is of our partitions, and not written yet."""
        ours: list[Received] = []
        for place, run in _runs(batch):
            start = self._next.get(place)
            if start is not None:
                ours += [received for received in run if received.offset >= start]
        return ours

    async def _write(self, batch: Sequence[Received]) -> None:
        """Write a batch in one transaction, or its halves in theirs, down to the record that is at fault."""
        try:
            async with self._store.write() as connection:
                if wanted := [received for received in batch if self._sink.wants(received)]:
                    await self._sink.write(connection, wanted)
                await offsets.advance(connection, self._kept_as, _ends(batch))
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a record provokes, the next one must get its turn
            await self._narrow_down(batch, error)
            return
        self._written(batch)
        self._ingested.inc(len(batch))

    async def _narrow_down(self, batch: Sequence[Received], error: Exception) -> None:
        if len(batch) == 1:
            await self._quarantine(batch[0], error)
            return
        middle = len(batch) // 2
        await self._write(batch[:middle])
        await self._write(batch[middle:])

    async def _quarantine(self, received: Received, error: Exception) -> None:
        async with self._store.write() as connection:
            await quarantine.keep(connection, received, sink=self._sink.name, error=error, at=self._clock.now())
            await offsets.advance(connection, self._kept_as, _ends([received]))
        self._written([received])
        self._quarantined.inc()
        source = "/".join(map(str, received.source))
        # The error's text may quote the record: the quarantine has it, the log line does not.
        logger.error("record_quarantined", sink=self._sink.name, source=source, error=type(error).__name__)

    def _written(self, batch: Sequence[Received]) -> None:
        ends = _ends(batch)
        self._next.update(ends)
        self._untold.update(ends)
        self._on_committed(batch)

    async def _tell_log(self, subscription: Subscription) -> None:
        if not self._untold:
            return
        try:
            await subscription.commit({partition: self._next[partition] for partition in self._untold})
            self._untold.clear()
        except CommitFenced:
            logger.debug("commit_fenced", group=self._group)
        except LogError as error:
            # The store has the offsets that count; the next batch tells the log again.
            logger.warning("commit_failed", group=self._group, error=str(error))


def _runs(batch: Sequence[Received]) -> list[tuple[Partition, list[Received]]]:
    """Return a batch by partition, as far as what is of one partition lies together, as a fetch brings it."""
    return [(place, list(run)) for place, run in groupby(batch, key=attrgetter("place"))]


def _ends(batch: Sequence[Received]) -> dict[Partition, int]:
    """Return the offset after the last record of each partition. Each partition's records are in order."""
    return {place: run[-1].offset + 1 for place, run in _runs(batch)}
