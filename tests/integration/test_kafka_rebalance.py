"""Members that come and go while records flow: every record is done by somebody, and commits never run ahead."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Collection
from datetime import timedelta
from uuid import uuid4

import pytest

from tests.support.clock import ManualClock
from tests.support.kafka_logs import kafka_settings, make_topics, open_kafka_log
from tests.support.waiting import until
from tocsin.errors import CommitFenced
from tocsin.eventlog.kafka.log import KafkaLog
from tocsin.eventlog.port import EventLog, Subscription
from tocsin.observe.metrics import Metrics
from tocsin.record import Partition, Received, Record
from tocsin.topics import TopicSpec

pytestmark = pytest.mark.xdist_group("kafka")

BATCHES, BATCH, KEYS = 40, 50, 32


@pytest.fixture
async def topic(kafka_bootstrap: str) -> str:
    name = f"notifications.test.{uuid4().hex[:8]}"
    await make_topics(kafka_settings(kafka_bootstrap), [TopicSpec(name=name, kind="delivery")])
    return name


@pytest.fixture
async def log(kafka_bootstrap: str) -> AsyncIterator[KafkaLog]:
    metrics = Metrics(version="test")
    async with open_kafka_log(kafka_settings(kafka_bootstrap), clock=ManualClock(), metrics=metrics) as opened:
        yield opened


class Reader:
    """A member that works as a worker does: what is done is committed, what is revoked is drained and forgotten."""

    def __init__(self, log: EventLog, topic: str, done: list[Received]) -> None:
        self._log = log
        self._topic = topic
        self._done = done
        self._ends: dict[Partition, int] = {}
        self._subscription: Subscription | None = None
        self._stopping = False
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        self._stopping = True
        await self._task

    async def _run(self) -> None:
        async with self._log.subscribe(
            [self._topic], group=self._topic, on_assigned=self._assigned, on_revoked=self._revoked
        ) as self._subscription:
            while not self._stopping:
                for received in await self._subscription.fetch(
                    limit=20, wait=timedelta(milliseconds=50), only=list(self._ends)
                ):
                    if received.place in self._ends:
                        self._done.append(received)
                        self._ends[received.place] = received.offset + 1
                await self._commit(self._ends)

    async def _assigned(self, partitions: Collection[Partition]) -> None:
        assert self._ends.keys().isdisjoint(partitions)
        self._ends.update(dict.fromkeys(partitions, 0))

    async def _revoked(self, partitions: Collection[Partition]) -> None:
        assert self._ends.keys() >= set(partitions)
        await self._commit({partition: self._ends[partition] for partition in partitions})
        for partition in partitions:
            del self._ends[partition]

    async def _commit(self, ends: dict[Partition, int]) -> None:
        moved = {partition: end for partition, end in ends.items() if end}
        if self._subscription is not None and moved:
            with contextlib.suppress(CommitFenced):  # somebody else does it again
                await self._subscription.commit(moved)


async def test_members_come_and_go_and_nothing_is_left_out(log: KafkaLog, topic: str) -> None:
    done: list[Received] = []
    readers = [Reader(log, topic, done)]

    async def produce() -> None:
        async with log.publisher() as publisher:
            for batch in range(BATCHES):
                numbers = range(batch * BATCH, (batch + 1) * BATCH)
                await publisher.write(
                    [Record(topic=topic, key=b"%d" % (number % KEYS), value=b"%d" % number) for number in numbers]
                )
                await asyncio.sleep(0.05)

    async def churn() -> None:
        for _ in range(3):
            readers.append(Reader(log, topic, done))
            await asyncio.sleep(0.4)
            await readers.pop(0).stop()
            readers.append(Reader(log, topic, done))
            await asyncio.sleep(0.4)
            await readers.pop().stop()

    async with asyncio.timeout(100):
        await asyncio.gather(produce(), churn())
        await until(
            lambda: len({received.value for received in done}) == BATCHES * BATCH, what="the last record", seconds=60
        )
        for _ in range(1000):
            if not sum((await log.group_lag(topic)).values()):
                break
            await asyncio.sleep(0.02)
        await asyncio.gather(*(reader.stop() for reader in readers))

    assert {received.value for received in done} == {b"%d" % number for number in range(BATCHES * BATCH)}
    first_seen: dict[int, list[int]] = defaultdict(list)
    for received in done:
        if received.offset not in first_seen[received.partition]:
            first_seen[received.partition].append(received.offset)
    assert all(offsets == sorted(offsets) for offsets in first_seen.values())
    # Commits are made on the way out, so what is done twice is an exception.
    assert len(done) < BATCHES * BATCH * 1.2
    assert sum((await log.group_lag(topic)).values()) == 0
    assert log.health().accepting
