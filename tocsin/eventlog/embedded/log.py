"""The embedded event log: the port over one SQLite file, one writer, groups within the process."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from loguru import logger

from tocsin.clock import Clock, from_ms
from tocsin.errors import LogError, LogFull, LogUnavailable, TopicMismatch
from tocsin.eventlog.embedded import bookkeeping, lock
from tocsin.eventlog.embedded.groups import Groups
from tocsin.eventlog.embedded.reader import Reader, Want
from tocsin.eventlog.embedded.retention import Retention, used_bytes
from tocsin.eventlog.embedded.subscription import EmbeddedSubscription
from tocsin.eventlog.embedded.tail import Tail
from tocsin.eventlog.embedded.transaction import Transaction
from tocsin.eventlog.embedded.writer import Bulk, Committed, Operation, T, Writer
from tocsin.eventlog.port import Health, Offsets, OnAssigned, OnRevoked
from tocsin.observe.metrics import Metrics
from tocsin.record import Partition, Received, Record
from tocsin.topics import TopicSpec

_FILE = "log.db"
_HOUSEKEEPING = timedelta(seconds=1)
_SWEEP_EVERY = 30  # housekeeping rounds
# The audit is a second or two behind under load, and what is read from disk costs several times as much.
_TAIL_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedConfig:
    """How the embedded log is laid out and bounded. `queue_limit` is in operations that wait for the writer."""

    directory: Path
    partitions: int
    retention: Retention
    queue_limit: int


class EmbeddedLog:
    """Fulfils `eventlog.port.EventLog`."""

    def __init__(self, config: EmbeddedConfig, *, clock: Clock, metrics: Metrics) -> None:
        path = str(config.directory / _FILE)
        self._config = config
        self._clock = clock
        self._metrics = metrics
        self._writer = Writer(path, clock=clock, on_commit=self._on_commit)
        self._reader = Reader(path)
        self._tail = Tail(_TAIL_BYTES)
        self._groups = Groups(partitions=lambda: self._writer.layout.ids, positions=self._positions)
        self._subscriptions: set[EmbeddedSubscription] = set()
        self._tails: dict[Partition, int] = {}
        self._committed: dict[tuple[str, Partition], int] = {}
        self._failure: str | None = None
        self._used_bytes = 0
        self._identity = ""
        metrics.log_writable.set(1)

    def run(
        self, operation: Operation[T], *, early: bool = False, apart: bool = False, weight: int = 1
    ) -> asyncio.Future[T]:
        """Run an operation in the writer's transaction. See `Writer.run`."""
        return self._writer.run(operation, early=early, apart=apart, weight=weight)

    def run_bulk(self, bulk: Bulk[T], item: Any, *, early: bool = False) -> asyncio.Future[T]:
        """Run an operation together with all others of its kind. See `Writer.run_bulk`."""
        return self._writer.run_bulk(bulk, item, early=early)

    def take_intake(self) -> None:
        """Raise LogFull where the log takes no new work."""
        health = self.health()
        if not health.accepting:
            raise LogFull(health.detail)

    def health(self) -> Health:
        """See the port."""
        if self._failure is not None:
            detail = f"the event log cannot be written: {self._failure}"
            return Health(writable=False, accepting=False, detail=detail)
        if self._used_bytes >= self._config.retention.max_bytes:
            detail = f"the event log has reached its size cap of {self._config.retention.max_bytes} bytes"
            return Health(writable=True, accepting=False, detail=detail)
        if self._writer.queued >= self._config.queue_limit:
            detail = f"{self._writer.queued} writes are waiting for the event log"
            return Health(writable=True, accepting=False, detail=detail)
        return Health(writable=True, accepting=True)

    async def behind(self, group: str, topic: str, *, before: datetime) -> bool:
        """See the port."""
        places = [place for place in self._writer.layout.ids if place.topic == topic]
        wants = [self.want(place, self.committed(group, place), 1) for place in places]
        oldest = await self.read([want for want in wants if want.start < want.end])
        return any(received.timestamp < before for records in oldest for received in records)

    @property
    def identity(self) -> str:
        """See the port."""
        return self._identity

    async def ensure_topics(self, specs: Sequence[TopicSpec]) -> None:
        """Create what is missing. Raises TopicMismatch where a topic has another number of partitions."""
        made = await self._writer.run(lambda transaction: self._ensure(transaction, specs))
        # Only now are they durable: before that, nothing may be written to them.
        for partition, partition_id in made:
            self._add(partition, partition_id, 0)

    @asynccontextmanager
    async def publisher(self, *, apart: bool = False) -> AsyncIterator["EmbeddedPublisher"]:
        """See the port. All of them share the one writer, and its commits."""
        del apart
        yield EmbeddedPublisher(self)

    @asynccontextmanager
    async def subscribe(
        self,
        topics: Sequence[str],
        *,
        group: str,
        on_assigned: OnAssigned,
        on_revoked: OnRevoked,
        gather: timedelta = timedelta(),
    ) -> AsyncIterator[EmbeddedSubscription]:
        """See the port. Records that were written a moment ago cost nothing to bring: none are gathered."""
        del gather
        missing = [topic for topic in topics if topic not in self._writer.layout.topics]
        if missing:
            raise TopicMismatch(f"topics do not exist: {', '.join(missing)}")
        subscription = EmbeddedSubscription(self, topics, group=group, on_assigned=on_assigned, on_revoked=on_revoked)
        await self._groups.join(group, subscription)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)
            await self._groups.leave(group, subscription)

    async def group_lag(self, group: str) -> Mapping[Partition, int]:
        """See the port."""
        known = ((name, partition) for name, partition in self._committed if name == group)
        return {p: max(0, self.tail(p) - self.committed(group, p)) for _, p in known}

    # What a subscription needs (`subscription.Shelf`).

    def tail(self, partition: Partition) -> int:
        """Return the next offset to be written, as far as it is durable."""
        return self._tails.get(partition, 0)

    def want(self, partition: Partition, start: int, limit: int) -> Want:
        """Return the stretch from `start` to the tail."""
        return Want(partition, self._writer.layout.ids[partition], start, self.tail(partition), limit)

    async def read(self, wants: Sequence[Want]) -> list[list[Received]]:
        """Read records, those of each stretch by themselves: from memory where they are recent, else from the file."""
        found = [self._tail.read(want.partition, want.start, want.limit) for want in wants]
        older = [number for number, records in enumerate(found) if not records]
        if older:
            for number, records in zip(older, await self._reader.read([wants[each] for each in older]), strict=True):
                found[number] = records
        else:
            await asyncio.sleep(0)  # whoever reads in a loop must not keep the others from theirs
        return found

    async def commit(self, group: str, next_offsets: Offsets) -> None:
        """Commit: offsets only move forward."""
        ids = self._writer.layout.ids
        rows = [(group, ids[partition], offset) for partition, offset in next_offsets.items()]
        await self._writer.run(lambda transaction: bookkeeping.store_commits(transaction, rows))
        for partition, offset in next_offsets.items():
            known = (group, partition)
            self._committed[known] = max(self._committed.get(known, 0), offset)

    def committed(self, group: str, partition: Partition) -> int:
        """Return the group's committed offset."""
        return self._committed.get((group, partition), 0)

    async def _positions(self, group: str, partitions: Collection[Partition]) -> dict[Partition, int]:
        """Return where the group reads on, and register it for retention."""
        ids = {partition: self._writer.layout.ids[partition] for partition in partitions}
        found = await self._writer.run(lambda transaction: bookkeeping.register(transaction, group, ids))
        self._committed.update({(group, partition): offset for partition, offset in found.items()})
        return found

    def _ensure(self, transaction: Transaction, specs: Sequence[TopicSpec]) -> list[tuple[Partition, int]]:
        layout, connection = transaction.layout, transaction.connection
        made = []
        for spec in specs:
            have = len(layout.topics.get(spec.name, ()))
            if have not in (0, self._config.partitions):
                raise TopicMismatch(
                    f"topic {spec.name} has {have} partitions, not {self._config.partitions}: "
                    f"set eventlog.partitions back to {have}, or start with an empty data_dir"
                )
            for number in range(have, self._config.partitions):
                connection.execute(
                    "INSERT INTO partitions (topic, number, kind) VALUES (?, ?, ?)", (spec.name, number, spec.kind)
                )
                made.append((Partition(spec.name, number), connection.last_insert_rowid()))
        return made

    def _add(self, partition: Partition, partition_id: int, tail: int) -> None:
        self._writer.layout.add(partition, partition_id, tail)
        self._tails[partition] = tail

    async def _open(self) -> None:
        self._writer.start()
        self._identity = await self._writer.run(bookkeeping.identity)
        for partition, partition_id, tail in await self._writer.run(bookkeeping.partitions):
            self._add(partition, partition_id, tail)
        names = {partition_id: partition for partition, partition_id in self._writer.layout.ids.items()}
        for group, partition_id, offset in await self._writer.run(bookkeeping.commits):
            self._committed[group, names[partition_id]] = offset
        try:
            await self._house_keep(sweep=True)
        except LogError as error:
            # A full disk is no reason not to start: what can be read is read, and the rest waits for room.
            logger.error("log_housekeeping_failed", error=str(error))

    async def _close(self) -> None:
        # The writer goes last: whoever closes last checkpoints, and only the writer can.
        self._reader.close()
        await self._writer.close()

    def _on_commit(self, committed: Committed) -> None:
        self._metrics.log_writes.inc()
        self._metrics.log_batch_records.observe(committed.count)
        self._metrics.log_commit_seconds.observe(committed.seconds)
        if committed.error != self._failure and (committed.error is not None or committed.changed):
            self._failure = committed.error
            self._metrics.log_writable.set(committed.error is None)
            if committed.error is not None:
                logger.error("log_unwritable", error=committed.error)
            else:
                logger.info("log_writable_again")
        if committed.tails:
            self._keep(committed)
            self._tails.update(committed.tails)
            grown = {partition.topic for partition in committed.tails}
            for subscription in self._subscriptions:
                if not grown.isdisjoint(subscription.topics):
                    subscription.wake()

    def _keep(self, committed: Committed) -> None:
        timestamp = from_ms(committed.now_ms)
        for place, records in committed.records.items():
            first = committed.tails[place] - len(records)
            received = [
                Received(
                    place=place,
                    offset=offset,
                    key=record.key,
                    value=record.value,
                    headers=record.headers,
                    timestamp=timestamp,
                )
                for offset, record in enumerate(records, first)
            ]
            self._tail.add(place, received)

    async def _keep_house(self) -> None:
        """Look after room and health for as long as the log is open."""
        rounds = 0
        while True:
            await self._clock.sleep(_HOUSEKEEPING)
            rounds += 1
            try:
                await self._house_keep(sweep=rounds % _SWEEP_EVERY == 0)
            except LogError as error:
                logger.warning("log_housekeeping_failed", error=str(error))

    async def _house_keep(self, *, sweep: bool) -> None:
        if self._failure is not None:
            await self._writer.run(bookkeeping.probe)
        self._used_bytes = await self._writer.run(lambda transaction: used_bytes(transaction.connection))
        self._metrics.log_bytes.set(self._used_bytes)
        await self._groups.repair()
        for group in {name for name, _ in self._committed}:
            self._metrics.log_lag(group).set(sum((await self.group_lag(group)).values()))
        for subscription in self._subscriptions:
            self._metrics.log_assigned(subscription.group).set(len(subscription.assigned))
        full = self._used_bytes >= self._config.retention.max_bytes
        if sweep or full:
            while await self._sweep():
                pass

    async def _sweep(self) -> bool:
        """Delete some of what may go; return whether there was any."""
        names = {partition_id: partition for partition, partition_id in self._writer.layout.ids.items()}
        starts = await self._writer.run(self._config.retention.sweep, apart=True)
        for partition_id, start in starts.items():
            self._tail.forget(names[partition_id], start)
        return bool(starts)


class EmbeddedPublisher:
    """Fulfils `eventlog.port.Publisher`."""

    def __init__(self, log: EmbeddedLog) -> None:
        self._log = log

    async def write(self, records: Sequence[Record]) -> None:
        """See the port."""
        await self._log.run(lambda transaction: transaction.append(records), weight=len(records))


@asynccontextmanager
async def open_log(config: EmbeddedConfig, *, clock: Clock, metrics: Metrics) -> AsyncIterator[EmbeddedLog]:
    """Open the log in its directory. Raises LogLocked, LogUnavailable."""
    try:
        config.directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LogUnavailable(f"cannot make the data directory {config.directory}: {error.strerror}") from error
    with lock.held(config.directory):
        log = EmbeddedLog(config, clock=clock, metrics=metrics)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(log._close)  # noqa: SLF001 - the way in and out of the log is this function
            await log._open()  # noqa: SLF001
            house = asyncio.create_task(log._keep_house(), name="tocsin-log-house")  # noqa: SLF001
            stack.push_async_callback(_ended, house)
            yield log


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
