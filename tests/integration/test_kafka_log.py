"""The event log on a real broker: what the contract that all logs share does not say."""

import asyncio
import struct
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from aiokafka.admin import NewTopic, RecordsToDelete  # type: ignore[import-untyped]
from aiokafka.record.util import calc_crc32c  # type: ignore[import-untyped]

from tests.support.clock import ManualClock
from tests.support.kafka_logs import LAYOUT, kafka_settings, make_topics, open_kafka_log
from tests.support.logs import drain, reading, values, write
from tests.support.waiting import until
from tocsin.errors import LogUnavailable, TopicMismatch
from tocsin.eventlog.kafka import topics
from tocsin.eventlog.kafka.clients import KafkaClients
from tocsin.eventlog.kafka.driver import named
from tocsin.eventlog.kafka.log import KafkaLog
from tocsin.eventlog.murmur2 import partition_for
from tocsin.observe.metrics import Metrics
from tocsin.record import Partition, Record
from tocsin.settings.sections import Kafka
from tocsin.topics import TopicSpec

pytestmark = pytest.mark.xdist_group("kafka")

BRIEFLY = timedelta(milliseconds=250)
# Of a record batch: where its checksum lies, and from where on it is computed.
_CRC, _CHECKED = 17, 21


@pytest.fixture
def settings(kafka_bootstrap: str) -> Kafka:
    return kafka_settings(kafka_bootstrap)


@pytest.fixture
async def topic(settings: Kafka) -> str:
    """Return a topic that is this test's own."""
    name = f"notifications.test.{uuid4().hex[:8]}"
    await make_topics(settings, [TopicSpec(name=name, kind="delivery")])
    return name


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(version="test")


@pytest.fixture
async def log(settings: Kafka, clock: ManualClock, metrics: Metrics) -> AsyncIterator[KafkaLog]:
    async with open_kafka_log(settings, clock=clock, metrics=metrics) as opened:
        yield opened


@pytest.fixture
async def admin(settings: Kafka) -> AsyncIterator[Any]:
    client: Any = KafkaClients(settings).admin()
    await client.start()
    yield client
    await client.close()


async def made(admin: Any, topic: NewTopic) -> None:
    """Make a topic, and return once the cluster shows it."""
    await admin.create_topics([topic])
    for _ in range(1000):
        if topic.name in await admin.list_topics():
            return
        await asyncio.sleep(0.01)
    pytest.fail("the cluster does not show the topic")


def numbered(topic: str, count: int, *, key: bytes = b"key") -> list[Record]:
    return [Record(topic=topic, key=key, value=b"%d" % number) for number in range(count)]


async def test_a_log_is_told_by_its_cluster(log: KafkaLog, admin: Any) -> None:
    assert log.identity == (await admin.describe_cluster())["cluster_id"]


async def test_nobody_creates_a_topic_by_asking_for_it(log: KafkaLog, admin: Any) -> None:
    name = f"notifications.nowhere.{uuid4().hex[:8]}"
    with pytest.raises(TopicMismatch, match="topics apply"):
        await write(log, Record(topic=name, key=None, value=b""))
    with pytest.raises(TopicMismatch, match="topics apply"):
        async with reading(log, name):
            pass
    with pytest.raises(TopicMismatch, match="is missing"):
        await log.ensure_topics([TopicSpec(name=name, kind="delivery")])

    assert name not in await admin.list_topics()


async def test_a_topic_with_too_few_partitions_is_named(log: KafkaLog, admin: Any) -> None:
    name = f"notifications.small.{uuid4().hex[:8]}"
    await made(admin, NewTopic(name, 2, 1))

    with pytest.raises(TopicMismatch, match=rf"topics apply.*{name} has 2 partitions instead of 8"):
        await log.ensure_topics([TopicSpec(name=name, kind="delivery")])


async def test_a_topic_that_another_program_makes_meanwhile_is_no_mistake(settings: Kafka) -> None:
    spec = TopicSpec(name=f"notifications.twice.{uuid4().hex[:8]}", kind="delivery")
    async with topics.opened(KafkaClients(settings), LAYOUT, seconds=10) as there:
        steps = await there.plan([spec])
        await make_topics(settings, [spec])

        await there.apply(steps, [spec])

        assert {step.action for step in await there.plan([spec])} == {"warn"}


async def test_a_record_is_timed_by_the_log(log: KafkaLog, topic: str) -> None:
    before = datetime.now(UTC)
    await write(log, *numbered(topic, 1))
    async with reading(log, topic, group=topic) as subscription:
        [received] = await drain(subscription, 1)

    assert before - timedelta(seconds=1) < received.timestamp < datetime.now(UTC) + timedelta(seconds=1)


async def test_records_that_retention_took_before_they_were_read_are_an_alarm(
    log: KafkaLog, topic: str, admin: Any
) -> None:
    place = Partition(topic, partition_for(b"key", 8))
    await write(log, *numbered(topic, 10))
    async with reading(log, topic, group=topic) as subscription:
        await drain(subscription, 3)
        await subscription.commit({place: 3})
    await admin.delete_records({named(place): RecordsToDelete(before_offset=6)})
    async with reading(log, topic, group=topic) as subscription:
        received = await drain(subscription, 4)

    assert [each.offset for each in received] == [6, 7, 8, 9]
    health = log.health()
    assert not health.accepting
    assert f"{topic}/{place.number}" in health.detail
    assert "offsets 3 to 5 were deleted" in health.detail


async def test_the_lag_of_a_group_that_never_committed_is_all_there_is(log: KafkaLog, topic: str) -> None:
    await write(log, *numbered(topic, 10))
    async with reading(log, topic, group=topic):
        lag = await log.group_lag(topic)

    assert len(lag) == 8
    assert sum(lag.values()) == 10


async def test_lag_is_measured_now_and_then(log: KafkaLog, topic: str, clock: ManualClock, metrics: Metrics) -> None:
    await write(log, *numbered(topic, 10))
    async with reading(log, topic, group=topic):
        clock.advance(timedelta(seconds=15))
        await until(lambda: f'tocsin_log_lag{{group="{topic}"}} 10.0' in metrics.render()[0].decode(), what="the lag")


async def test_an_unreadable_record_is_passed_and_takes_no_other_with_it(
    log: KafkaLog, topic: str, settings: Kafka
) -> None:
    bad = Partition(topic, partition_for(b"key", 8))
    good = next(key for key in (b"a", b"b", b"c", b"d") if partition_for(key, 8) != bad.number)
    await write(log, *numbered(topic, 3))
    await send_spoilt(settings, bad)
    await write(log, *numbered(topic, 3), *numbered(topic, 500, key=good))
    async with reading(log, topic, group=topic) as subscription:
        received = await drain(subscription, 506)

    offsets: Mapping[int, list[int]] = {
        number: [each.offset for each in received if each.partition == number]
        for number in {r.partition for r in received}
    }
    assert offsets == {bad.number: [0, 1, 2, 4, 5, 6], partition_for(good, 8): list(range(500))}


async def send_spoilt(settings: Kafka, place: Partition) -> None:
    """Write a record with a header name that is not UTF-8, as no client in Python can."""
    producer: Any = KafkaClients(settings).producer()
    await producer.start()
    batch = producer.create_batch()
    batch.append(timestamp=None, key=b"key", value=b"spoilt", headers=[("spoilt-name", b"")])
    build = batch._build

    def spoilt() -> bytes:
        raw = bytearray(build().replace(b"spoilt-name", b"spoilt-\xff\xfe\xfd\xfc"))
        raw[_CRC:_CHECKED] = struct.pack(">I", calc_crc32c(bytes(raw[_CHECKED:])))
        return bytes(raw)

    batch._build = spoilt
    await (await producer.send_batch(batch, place.topic, partition=place.number))
    await producer.stop()


async def test_a_record_that_the_broker_refuses_ends_the_producer_and_not_the_log(log: KafkaLog, admin: Any) -> None:
    """Without another producer, whatever follows in that partition is refused as out of order, for good."""
    name = f"notifications.narrow.{uuid4().hex[:8]}"
    await made(admin, NewTopic(name, 1, 1, topic_configs={"max.message.bytes": "2000"}))
    async with log.publisher() as publisher:
        await publisher.write(numbered(name, 1))
        with pytest.raises(LogUnavailable, match="refused"):
            await publisher.write([Record(topic=name, key=b"key", value=b"x" * 5000)])
        assert not log.health().writable
        for record in numbered(name, 3):
            await publisher.write([record])

    await until(lambda: log.health().writable, what="another producer")
    async with reading(log, name, group=name) as subscription:
        assert values(await drain(subscription, 4)) == {b"0", b"1", b"2"}
        assert await subscription.fetch(limit=10, wait=BRIEFLY) == ()
