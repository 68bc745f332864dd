"""A producer: idempotent, bounded in time, and made anew once it is poisoned.

A batch that the broker refuses leaves a hole in its partition's sequence numbers: whatever that producer sends there
afterwards is refused as out of order, for good. So a refusal ends the producer, and the next one starts counting anew.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from loguru import logger

from tocsin.clock import Clock
from tocsin.errors import LogError, LogUnavailable, TopicMismatch
from tocsin.eventlog.kafka import ending
from tocsin.eventlog.kafka.clients import Clients
from tocsin.eventlog.kafka.condition import Condition
from tocsin.eventlog.kafka.driver import KafkaError, Producer
from tocsin.eventlog.kafka.lookup import Lookup, worded
from tocsin.eventlog.kafka.partitioning import Partitioner
from tocsin.observe.metrics import Metrics
from tocsin.record import Record

_STOP_SECONDS = 5.0
_SUSPICIOUS_SECONDS = 2.0
_PAUSE = timedelta(seconds=1)
_OVERHEAD = 128  # of a record in a batch, about; a header costs a few bytes more than it holds


class Producing:
    """Writes records durably. Opened and closed by the log, whose `number`th it is."""

    def __init__(
        self,
        clients: Clients,
        lookup: Lookup,
        *,
        number: int,
        seconds: float,
        max_record_bytes: int,
        clock: Clock,
        condition: Condition,
        metrics: Metrics,
    ) -> None:
        self._clients = clients
        self._lookup = lookup
        self._seconds = seconds
        self._max_record_bytes = max_record_bytes
        self._clock = clock
        self._condition = condition
        self._metrics = metrics
        self._poison, self._stall = f"producer {number}", f"acknowledgements {number}"
        self._partitioner = Partitioner()
        self._topics: frozenset[str] = frozenset()
        self._producer: Producer | None = None
        self._ready = asyncio.Event()
        self._rebuilding: asyncio.Task[None] | None = None
        self._recovering: asyncio.Task[None] | None = None
        self._late: set[asyncio.Future[Any]] = set()

    async def open(self) -> None:
        """Make the first producer. Raises LogUnavailable."""
        self._became(await self._made())

    async def close(self) -> None:
        """Send what waits as far as that works, and end everything."""
        for task in (self._rebuilding, self._recovering):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        if self._producer is not None:
            await ending.bounded(self._producer.stop(), seconds=_STOP_SECONDS, what="producer")
        self._producer = None
        self._ready.clear()

    async def write(self, records: Sequence[Record]) -> None:
        """Return when all copies of all the records are acknowledged. Raises LogUnavailable, TopicMismatch.

        Nothing is sent if a topic is missing or a record too large. Where the cluster fails in the middle some of the
        records may be durable: whoever writes them again writes the same ids.
        """
        if not records:
            return
        started = self._clock.monotonic()
        futures: list[asyncio.Future[Any]] = []
        try:
            async with asyncio.timeout(self._seconds):
                await self._write(records, futures)
        except TimeoutError as error:
            self._stalled(futures)
            raise LogUnavailable(f"Kafka acknowledged nothing within {self._seconds:g} s") from error
        except asyncio.CancelledError:
            # A submit has less patience than we have, and what it saw is as much a sign.
            if self._clock.monotonic() - started >= _SUSPICIOUS_SECONDS:
                self._stalled(futures)
            raise
        except KafkaError as error:
            raise LogUnavailable(f"Kafka takes no records: {worded(error)}") from error
        self._condition.mended(self._stall)
        self._metrics.log_writes.inc()
        self._metrics.log_batch_records.observe(len(records))
        self._metrics.log_commit_seconds.observe(self._clock.monotonic() - started)

    async def _write(self, records: Sequence[Record], futures: list[asyncio.Future[Any]]) -> None:
        await self._check(records)
        await self._ready.wait()
        producer = self._producer
        if producer is None:
            raise LogUnavailable("the event log is closed")
        try:
            await self._send(producer, records, futures)
            for future in futures:
                if not future.done():
                    # Waited for, not awaited: a timeout shall not cancel what is on its way.
                    await asyncio.wait([future])
        except BaseException:
            for future in futures:
                self._abandon(producer, future)
            raise
        errors = [error for future in futures if (error := future.exception()) is not None]
        if errors:
            self._poisoned(producer, errors[0])
            raise LogUnavailable(f"Kafka refused a record: {worded(errors[0])}") from errors[0]

    async def _check(self, records: Sequence[Record]) -> None:
        """A topic that is missing must not be named to the cluster, which may be set to create it by its defaults."""
        missing = {record.topic for record in records} - self._topics
        if missing:
            self._topics = frozenset(await self._lookup.topics())
            missing -= self._topics
        if missing:
            raise TopicMismatch(f"topics do not exist: {', '.join(sorted(missing))}; run `tocsin topics apply`")
        for record in records:
            size = _size(record)
            if size > self._max_record_bytes:
                raise LogError(
                    f"a record for {record.topic} of {size} bytes is above kafka.max_record_bytes "
                    f"({self._max_record_bytes})"
                )

    async def _send(self, producer: Producer, records: Sequence[Record], futures: list[asyncio.Future[Any]]) -> None:
        counts: dict[str, int] = {}
        try:
            for record in records:
                count = counts.get(record.topic)
                if count is None:
                    count = counts[record.topic] = len(await producer.partitions_for(record.topic))
                partition = self._partitioner.partition(record.key, count)
                futures.append(
                    await producer.send(
                        record.topic, record.value, record.key, partition=partition, headers=list(record.headers)
                    )
                )
        except KafkaError as error:
            # Sizes and topics are right, so what refuses here is a producer that is no more.
            self._poisoned(producer, error)
            raise

    def _stalled(self, futures: Sequence[asyncio.Future[Any]]) -> None:
        if futures and all(future.done() for future in futures):
            return
        self._condition.unwritable(self._stall, "Kafka acknowledges nothing")
        if self._recovering is None or self._recovering.done():
            self._recovering = asyncio.create_task(self._recover(), name="tocsin-kafka-recovery")

    def _abandon(self, producer: Producer, future: asyncio.Future[Any]) -> None:
        """Let what nobody waits for any longer tell what became of it."""
        self._late.add(future)
        future.add_done_callback(lambda done: self._landed(producer, done))

    def _landed(self, producer: Producer, future: asyncio.Future[Any]) -> None:
        self._late.discard(future)
        if future.cancelled():
            return
        error = future.exception()
        if error is None:
            self._condition.mended(self._stall)
        else:
            self._poisoned(producer, error)

    async def _recover(self) -> None:
        """Nobody writes while the log is unready, so where nothing is left on its way, ask whether it would work."""
        while True:
            await self._clock.sleep(_PAUSE)
            if self._late:
                continue
            try:
                await self._lookup.topics()
            except LogUnavailable:
                continue
            self._condition.mended(self._stall)
            return

    def _poisoned(self, producer: Producer, error: BaseException) -> None:
        if producer is not self._producer:
            return  # somebody has said so before
        self._producer = None
        self._ready.clear()
        self._metrics.log_rebuilds("producer").inc()
        self._condition.unwritable(self._poison, f"the Kafka producer failed and is made anew: {worded(error)}")
        self._rebuilding = asyncio.create_task(self._rebuild(producer), name="tocsin-kafka-producer")

    async def _rebuild(self, old: Producer) -> None:
        await ending.bounded(old.stop(), seconds=_STOP_SECONDS, what="producer")
        while True:
            try:
                producer = await self._made()
            except LogUnavailable as error:
                logger.warning("producer_not_made", error=str(error))
                await self._clock.sleep(_PAUSE)
                continue
            self._became(producer)
            self._condition.mended(self._poison)
            return

    async def _made(self) -> Producer:
        producer = self._clients.producer()
        try:
            async with asyncio.timeout(self._seconds):
                await producer.start()
        except BaseException as error:
            await ending.bounded(producer.stop(), seconds=_STOP_SECONDS, what="producer")
            if isinstance(error, KafkaError | OSError | TimeoutError):
                raise LogUnavailable(f"Kafka cannot be written to: {worded(error)}") from error
            raise
        return producer

    def _became(self, producer: Producer) -> None:
        self._producer = producer
        self._ready.set()


class KafkaPublisher:
    """Fulfils `eventlog.port.Publisher`. All publishers of a log share its producer."""

    def __init__(self, producing: Producing) -> None:
        self._producing = producing

    async def write(self, records: Sequence[Record]) -> None:
        """See `Producing.write`."""
        await self._producing.write(records)


def _size(record: Record) -> int:
    headers = sum(len(name) * 3 + len(value) + 10 for name, value in record.headers)
    return len(record.value) + len(record.key or b"") + headers + _OVERHEAD
