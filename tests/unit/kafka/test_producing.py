"""Writing: bounded in time, whole or not at all as far as we can see ahead, and by a producer that is not poisoned."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from aiokafka.partitioner import DefaultPartitioner  # type: ignore[import-untyped]

from tests.support.waiting import until
from tests.unit.kafka.fakes import TOPIC, Cluster, Stage
from tocsin.errors import LogError, LogUnavailable, TopicMismatch
from tocsin.eventlog.kafka.driver import KafkaError
from tocsin.eventlog.kafka.partitioning import Partitioner
from tocsin.eventlog.kafka.producing import Producing
from tocsin.record import Record

SECOND = timedelta(seconds=1)


def record(value: bytes = b"v", *, key: bytes | None = b"k", topic: str = TOPIC) -> Record:
    return Record(topic=topic, key=key, value=value, headers=(("a", b"1"),))


@pytest.fixture
async def producing(stage: Stage) -> AsyncIterator[Producing]:
    opened = stage.producing(seconds=0.5)
    await opened.open()
    yield opened
    await opened.close()


async def test_a_write_is_bounded_in_time(producing: Producing, stage: Stage, cluster: Cluster) -> None:
    cluster.producers[0].silent = True

    with pytest.raises(LogUnavailable, match=r"within 0\.5 s"):
        await producing.write([record()])
    assert not stage.condition.health().writable


async def test_what_timed_out_stays_on_its_way_and_tells_when_it_lands(
    producing: Producing, stage: Stage, cluster: Cluster
) -> None:
    cluster.producers[0].silent = True
    with pytest.raises(LogUnavailable):
        await producing.write([record()])
    [future] = cluster.producers[0].futures

    assert not future.cancelled()
    future.set_result(None)
    await until(lambda: stage.condition.health().writable, what="the log to be writable again")
    assert len(cluster.producers) == 1


async def test_where_nothing_is_on_its_way_the_cluster_is_asked_until_it_answers(
    producing: Producing, stage: Stage, cluster: Cluster
) -> None:
    await producing.write([record()])
    cluster.producers[0].full = True
    with pytest.raises(LogUnavailable):
        await producing.write([record()])
    cluster.reachable = False
    for _ in range(3):
        await until(lambda: stage.clock.next_due() is not None, what="the pause")
        stage.clock.advance(SECOND)
        await asyncio.sleep(0)
    assert not stage.condition.health().writable
    cluster.reachable = True
    await until(lambda: stage.clock.next_due() is not None, what="the pause")
    stage.clock.advance(SECOND)

    await until(lambda: stage.condition.health().writable, what="the log to be writable again")


async def test_a_caller_with_less_patience_is_as_much_a_sign(stage: Stage, cluster: Cluster) -> None:
    producing = stage.producing(seconds=30)
    await producing.open()
    cluster.producers[0].silent = True
    writing = asyncio.create_task(producing.write([record()]))
    await until(lambda: cluster.producers[0].futures, what="the record to be sent")
    stage.clock.advance(SECOND * 5)
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)

    assert not stage.condition.health().writable
    cluster.producers[0].futures[0].set_result(None)
    await until(lambda: stage.condition.health().writable, what="the log to be writable again")
    await producing.close()


async def test_a_refusal_ends_the_producer(producing: Producing, stage: Stage, cluster: Cluster) -> None:
    cluster.producers[0].refusal = KafkaError("out of order")
    cluster.startable = False

    with pytest.raises(LogUnavailable, match="out of order"):
        await producing.write([record(), record()])
    await until(lambda: stage.clock.next_due() is not None, what="the first try to fail")
    health = stage.condition.health()
    assert (health.writable, health.accepting) == (False, False)
    assert "out of order" in health.detail
    assert cluster.producers[0].stopped

    cluster.startable = True
    stage.clock.advance(SECOND)
    await until(lambda: stage.condition.health().writable, what="another producer")
    await producing.write([record()])
    assert [len(each.sent) for each in cluster.producers] == [2, 0, 1]


async def test_a_write_waits_for_the_producer_that_is_being_made(
    producing: Producing, stage: Stage, cluster: Cluster
) -> None:
    cluster.producers[0].refusal = KafkaError("fenced")
    with pytest.raises(LogUnavailable):
        await producing.write([record()])

    await producing.write([record()])
    assert stage.condition.health().writable
    assert len(cluster.producers) == 2


async def test_the_log_is_writable_again_once_all_its_producers_are(
    producing: Producing, stage: Stage, cluster: Cluster
) -> None:
    apart = stage.producing(number=2)
    await apart.open()
    for each in cluster.producers:
        each.refusal = KafkaError("fenced")
    cluster.startable = False
    with pytest.raises(LogUnavailable):
        await apart.write([record()])
    await until(lambda: stage.clock.next_due() is not None, what="the first try to fail")
    cluster.startable = True
    with pytest.raises(LogUnavailable):
        await producing.write([record()])
    await producing.write([record()])
    assert not stage.condition.health().writable

    stage.clock.advance(SECOND)
    await until(lambda: stage.condition.health().writable, what="the other producer")
    await apart.write([record()])
    await apart.close()


async def test_a_late_refusal_ends_the_producer_too(producing: Producing, cluster: Cluster) -> None:
    cluster.producers[0].silent = True
    with pytest.raises(LogUnavailable):
        await producing.write([record()])
    cluster.producers[0].futures[0].set_exception(KafkaError("out of order"))

    await until(lambda: len(cluster.producers) == 2, what="another producer")
    assert cluster.producers[0].stopped


async def test_nothing_is_sent_where_a_topic_is_missing(producing: Producing, cluster: Cluster) -> None:
    with pytest.raises(TopicMismatch, match=r"notifications\.nowhere.*topics apply"):
        await producing.write([record(), record(topic="notifications.nowhere")])
    assert cluster.producers[0].sent == []


async def test_nothing_is_sent_where_a_record_is_too_large(producing: Producing, cluster: Cluster) -> None:
    with pytest.raises(LogError, match="max_record_bytes"):
        await producing.write([record(), record(b"x" * 10_000)])
    assert cluster.producers[0].sent == []


async def test_a_producer_that_cannot_start_is_told_of(stage: Stage, cluster: Cluster) -> None:
    cluster.startable = False

    with pytest.raises(LogUnavailable, match="not now"):
        await stage.producing().open()
    assert cluster.producers[0].stopped


async def test_after_the_end_nothing_is_written(stage: Stage) -> None:
    producing = stage.producing(seconds=0.5)
    await producing.open()
    await producing.close()

    with pytest.raises(LogUnavailable):
        await producing.write([record()])


def test_keys_go_where_every_other_client_puts_them() -> None:
    ours, theirs = Partitioner(), DefaultPartitioner()
    partitions = list(range(12))

    for key in (b"", b"k", b"tenant/ada@example.com", bytes(range(256))):
        assert ours.partition(key, 12) == theirs(key, partitions, partitions)


def test_records_without_a_key_take_turns() -> None:
    ours = Partitioner()

    assert sorted(ours.partition(None, 4) for _ in range(8)) == [0, 0, 1, 1, 2, 2, 3, 3]
