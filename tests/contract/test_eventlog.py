"""What every event log does. Nothing here knows which one it is."""

import asyncio
from collections.abc import Collection

import pytest

from tests.contract.conftest import OpenLog
from tests.support.logs import NOW, SOON, drain, ignore, reading, values, write
from tocsin.errors import CommitFenced, TopicMismatch
from tocsin.eventlog.murmur2 import partition_for
from tocsin.eventlog.port import EventLog
from tocsin.record import Partition, Record
from tocsin.topics import TopicSpec

TOPIC = "notifications.test"
OTHER = "notifications.other"
SPECS = [TopicSpec(name=TOPIC, kind="delivery"), TopicSpec(name=OTHER, kind="delivery")]
PARTITIONS = 8


def record(number: int, *, topic: str = TOPIC, key: bytes | None = None) -> Record:
    return Record(topic=topic, key=key or b"key-%d" % number, value=b"value-%d" % number)


async def fill(log: EventLog, count: int, *, key: bytes | None = None) -> None:
    await log.ensure_topics(SPECS)
    await write(log, *(record(number, key=key) for number in range(count)))


def key_of(partition: int) -> bytes:
    """Return a key that belongs to the partition."""
    return next(k for k in (b"k%d" % i for i in range(1000)) if partition_for(k, PARTITIONS) == partition)


async def test_what_was_written_is_read_byte_for_byte(open_event_log: OpenLog) -> None:
    headers = (("a", b"1"), ("b", b""), ("a", b"\xff\x00"))
    written = Record(topic=TOPIC, key=b"\x00k", value=bytes(range(256)), headers=headers)
    async with open_event_log() as log:
        await log.ensure_topics(SPECS)
        await write(log, written)
        async with reading(log, TOPIC) as subscription:
            [received] = await drain(subscription, 1)

    assert (received.key, received.value, received.headers) == (written.key, written.value, headers)


async def test_records_outlive_the_log_that_wrote_them(open_event_log: OpenLog) -> None:
    async with open_event_log() as log:
        await fill(log, 20)
    async with open_event_log() as log, reading(log, TOPIC) as subscription:
        assert len(await drain(subscription, 20)) == 20


async def test_a_key_has_its_partition_and_its_order(open_event_log: OpenLog) -> None:
    async with open_event_log() as log:
        await fill(log, 50, key=b"same")
        async with reading(log, TOPIC) as subscription:
            received = await drain(subscription, 50)

    assert {r.partition for r in received} == {partition_for(b"same", PARTITIONS)}
    assert [r.value for r in received] == [b"value-%d" % n for n in range(50)]
    assert [r.offset for r in received] == sorted({r.offset for r in received})


async def test_records_without_a_key_are_spread(open_event_log: OpenLog) -> None:
    async with open_event_log() as log:
        await log.ensure_topics(SPECS)
        await write(log, *(Record(topic=TOPIC, key=None, value=b"x") for _ in range(PARTITIONS * 4)))
        async with reading(log, TOPIC) as subscription:
            received = await drain(subscription, PARTITIONS * 4)

    assert {r.partition for r in received} == set(range(PARTITIONS))


async def test_a_write_is_all_or_nothing(open_event_log: OpenLog) -> None:
    async with open_event_log() as log:
        await log.ensure_topics(SPECS)
        with pytest.raises(TopicMismatch):
            await write(log, record(1), record(2, topic="notifications.nowhere"))
        await write(log, record(3))
        async with reading(log, TOPIC) as subscription:
            assert values(await drain(subscription, 1)) == {b"value-3"}
            assert await subscription.fetch(limit=10, wait=NOW) == ()


async def test_a_missing_topic_is_named(open_event_log: OpenLog) -> None:
    async with open_event_log() as log:
        with pytest.raises(TopicMismatch, match="nowhere"):
            async with reading(log, "notifications.nowhere"):
                pass


async def test_a_fetch_waits_for_the_first_record(open_event_log: OpenLog) -> None:
    async with open_event_log() as log:
        await log.ensure_topics(SPECS)
        async with reading(log, TOPIC) as subscription:
            waiting = asyncio.ensure_future(subscription.fetch(limit=10, wait=SOON))
            await write(log, record(1))

            assert values(await waiting) == {b"value-1"}


async def test_a_fetch_respects_its_limit_and_each_record_comes_once(open_event_log: OpenLog) -> None:
    async with open_event_log() as log:
        await fill(log, 100)
        async with reading(log, TOPIC) as subscription:
            fetched = [await subscription.fetch(limit=7, wait=NOW) for _ in range(60)]

    assert max(map(len, fetched)) <= 7
    everything = [r.value for records in fetched for r in records]
    assert len(everything) == len(set(everything)) == 100


async def test_what_a_fetch_leaves_out_is_not_lost(open_event_log: OpenLog) -> None:
    async with open_event_log() as log:
        await log.ensure_topics(SPECS)
        await write(log, record(1, key=key_of(1)), record(2, key=key_of(2)))
        async with reading(log, TOPIC) as subscription:
            first = await subscription.fetch(limit=10, wait=NOW, only=[Partition(TOPIC, 2)])
            nothing = await subscription.fetch(limit=10, wait=NOW, only=[])
            second = await subscription.fetch(limit=10, wait=NOW)

    assert values(first) == {b"value-2"}
    assert nothing == ()
    assert values(second) == {b"value-1"}


async def test_a_group_goes_on_at_its_commit(open_event_log: OpenLog) -> None:
    async with open_event_log() as log:
        await fill(log, 10, key=b"same")
        place = Partition(TOPIC, partition_for(b"same", PARTITIONS))
        async with reading(log, TOPIC) as subscription:
            received = await drain(subscription, 10)
            await subscription.commit({place: received[4].offset})
    async with open_event_log() as log, reading(log, TOPIC) as subscription:
        again = await drain(subscription, 6)

    assert [r.value for r in again] == [b"value-%d" % n for n in range(4, 10)]


async def test_groups_do_not_know_each_other(open_event_log: OpenLog) -> None:
    async with open_event_log() as log:
        await fill(log, 10, key=b"same")
        place = Partition(TOPIC, partition_for(b"same", PARTITIONS))
        async with reading(log, TOPIC, group="one") as one, reading(log, TOPIC, group="two") as two:
            received = await drain(one, 10)
            await one.commit({place: received[-1].offset + 1})

            assert len(await drain(two, 10)) == 10


async def test_a_commit_never_goes_back(open_event_log: OpenLog) -> None:
    async with open_event_log() as log:
        await fill(log, 10, key=b"same")
        place = Partition(TOPIC, partition_for(b"same", PARTITIONS))
        async with reading(log, TOPIC) as subscription:
            received = await drain(subscription, 10)
            await subscription.commit({place: received[8].offset})
            await subscription.commit({place: received[2].offset})
        async with reading(log, TOPIC) as subscription:
            assert len(await drain(subscription, 2)) == 2


async def test_several_subscribers_share_a_group_without_overlap(open_event_log: OpenLog) -> None:
    async with open_event_log() as log:
        await fill(log, 200)
        async with reading(log, TOPIC) as one, reading(log, TOPIC) as two, reading(log, TOPIC) as three:
            members = (one, two, three)
            owned = [set(member.assigned) for member in members]
            seen = [await member.fetch(limit=200, wait=NOW) for member in members]

    assert all(owned)
    assert sum(map(len, owned)) == len(set().union(*owned)) == PARTITIONS
    assert sorted(r.value for records in seen for r in records) == sorted(b"value-%d" % n for n in range(200))


async def test_partitions_are_told_on_their_way_from_one_to_another(open_event_log: OpenLog) -> None:
    told: list[tuple[str, int]] = []

    async def assigned(partitions: Collection[Partition]) -> None:
        told.append(("assigned", len(partitions)))

    async def revoked(partitions: Collection[Partition]) -> None:
        told.append(("revoked", len(partitions)))

    async with open_event_log() as log:
        await log.ensure_topics(SPECS)
        async with log.subscribe([TOPIC], group="g", on_assigned=assigned, on_revoked=revoked):
            assert told == [("assigned", PARTITIONS)]
            async with log.subscribe([TOPIC], group="g", on_assigned=ignore, on_revoked=ignore) as other:
                assert told[1:] == [("revoked", len(other.assigned))]
            assert told[2:] == [("assigned", told[1][1])]

    assert told[3:] == [("revoked", PARTITIONS)]


async def test_a_revoked_partition_may_be_committed_until_it_is_gone(open_event_log: OpenLog) -> None:
    async with open_event_log() as log:
        await fill(log, 40)
        async with reading(log, TOPIC) as reader:
            received = await drain(reader, 40)
        ends = {Partition(TOPIC, r.partition): r.offset + 1 for r in received}

        async def revoked(partitions: Collection[Partition]) -> None:
            await leaving.commit({p: ends[p] for p in partitions if p in ends})

        async with log.subscribe([TOPIC], group="g", on_assigned=ignore, on_revoked=revoked) as leaving:
            pass
        async with reading(log, TOPIC, group="g") as after:
            assert await after.fetch(limit=40, wait=NOW) == ()


async def test_a_stale_commit_is_refused_whole(open_event_log: OpenLog) -> None:
    async with open_event_log() as log:
        await fill(log, 40)
        async with reading(log, TOPIC) as first:
            everything = dict.fromkeys(first.assigned, 1)
            async with reading(log, TOPIC) as second:
                with pytest.raises(CommitFenced):
                    await first.commit(everything)
                taken = await second.fetch(limit=100, wait=NOW)
                assert taken
            kept = await first.fetch(limit=100, wait=NOW)
        async with reading(log, TOPIC) as after:
            assert len(await drain(after, 40)) == 40
        assert kept


async def test_a_closed_subscription_owns_nothing(open_event_log: OpenLog) -> None:
    async with open_event_log() as log:
        await fill(log, 5)
        async with reading(log, TOPIC) as subscription:
            owned = dict.fromkeys(subscription.assigned, 1)
        with pytest.raises(CommitFenced):
            await subscription.commit(owned)


async def test_a_sink_may_seek_when_it_is_assigned(open_event_log: OpenLog) -> None:
    async with open_event_log() as log:
        await fill(log, 10, key=b"same")
        place = Partition(TOPIC, partition_for(b"same", PARTITIONS))
        entered: list[Collection[Partition]] = []

        async def assigned(partitions: Collection[Partition]) -> None:
            entered.append(partitions)

        async with log.subscribe([TOPIC], group="g", on_assigned=assigned, on_revoked=ignore) as subscription:
            received = await drain(subscription, 10)
            await subscription.seek({place: received[6].offset})
            again = await drain(subscription, 4)

    assert entered
    assert [r.value for r in again] == [b"value-%d" % n for n in range(6, 10)]


async def test_lag_is_what_lies_after_the_commit(open_event_log: OpenLog) -> None:
    async with open_event_log() as log:
        await fill(log, 10, key=b"same")
        place = Partition(TOPIC, partition_for(b"same", PARTITIONS))
        async with reading(log, TOPIC, group="g") as subscription:
            received = await drain(subscription, 10)
            before = await subscription.lag()
            await subscription.commit({place: received[6].offset + 1})

            assert before[place] == 10
            assert (await subscription.lag())[place] == 3
            assert (await log.group_lag("g"))[place] == 3


async def test_a_log_that_is_open_takes_writes(open_event_log: OpenLog) -> None:
    async with open_event_log() as log:
        health = log.health()

    assert (health.writable, health.accepting, health.detail) == (True, True, "")
