"""What every event log does. Nothing here knows which one it is."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import timedelta

import pytest

from tests.contract.conftest import Logs
from tests.support.logs import SOON, drain, ignore, reading, values, write
from tests.support.waiting import until
from tocsin.errors import CommitFenced, TopicMismatch
from tocsin.eventlog.murmur2 import partition_for
from tocsin.eventlog.port import Subscription
from tocsin.record import Partition, Received, Record

PARTITIONS = 8
BRIEFLY = timedelta(milliseconds=200)


def key_of(partition: int) -> bytes:
    """Return a key that belongs to the partition."""
    return next(k for k in (b"k%d" % i for i in range(1000)) if partition_for(k, PARTITIONS) == partition)


async def shared_out(*members: Subscription) -> None:
    """Return once every partition has its owner: on some logs, members hear of it one after another."""
    await until(lambda: sum(len(member.assigned) for member in members) == PARTITIONS, what="a rebalance")


async def drain_all(members: Sequence[Subscription], count: int) -> list[Received]:
    """Return the next `count` records of all the members together."""
    found: list[Received] = []
    for _ in range(100):
        for member in members:
            found += await member.fetch(limit=count, wait=BRIEFLY)
        if len(found) >= count:
            break
    return found


async def test_what_was_written_is_read_byte_for_byte(logs: Logs) -> None:
    headers = (("a", b"1"), ("b", b""), ("a", b"\xff\x00"))
    written = Record(topic=logs.topic, key=b"\x00k", value=bytes(range(256)), headers=headers)
    async with logs.open() as log:
        await log.ensure_topics(logs.specs)
        await write(log, written)
        async with logs.reading(log) as subscription:
            [received] = await drain(subscription, 1)

    assert (received.key, received.value, received.headers) == (written.key, written.value, headers)


async def test_records_outlive_the_log_that_wrote_them(logs: Logs) -> None:
    async with logs.open() as log:
        await logs.fill(log, 20)
    async with logs.open() as log, logs.reading(log) as subscription:
        assert len(await drain(subscription, 20)) == 20


async def test_a_key_has_its_partition_and_its_order(logs: Logs) -> None:
    async with logs.open() as log:
        await logs.fill(log, 50, key=b"same")
        async with logs.reading(log) as subscription:
            received = await drain(subscription, 50)

    assert {r.partition for r in received} == {partition_for(b"same", PARTITIONS)}
    assert [r.value for r in received] == [b"value-%d" % n for n in range(50)]
    assert [r.offset for r in received] == sorted({r.offset for r in received})


async def test_records_without_a_key_are_spread(logs: Logs) -> None:
    async with logs.open() as log:
        await log.ensure_topics(logs.specs)
        await write(log, *(Record(topic=logs.topic, key=None, value=b"x") for _ in range(PARTITIONS * 4)))
        async with logs.reading(log) as subscription:
            received = await drain(subscription, PARTITIONS * 4)

    assert {r.partition for r in received} == set(range(PARTITIONS))


async def test_a_write_is_all_or_nothing(logs: Logs) -> None:
    async with logs.open() as log:
        await log.ensure_topics(logs.specs)
        with pytest.raises(TopicMismatch):
            await write(log, logs.record(1), Record(topic="notifications.nowhere", key=None, value=b"x"))
        await write(log, logs.record(3))
        async with logs.reading(log) as subscription:
            assert values(await drain(subscription, 1)) == {b"value-3"}
            assert await subscription.fetch(limit=10, wait=BRIEFLY) == ()


async def test_publishers_that_are_apart_write_side_by_side(logs: Logs) -> None:
    async with logs.open() as log:
        await log.ensure_topics(logs.specs)
        async with log.publisher() as one, log.publisher(apart=True) as other:
            for number, publisher in enumerate([one, other] * 5):
                await publisher.write([Record(topic=logs.topic, key=b"same", value=b"%d" % number)])
        async with logs.reading(log) as subscription:
            assert [r.value for r in await drain(subscription, 10)] == [b"%d" % n for n in range(10)]


async def test_what_may_be_gathered_comes_all_the_same(logs: Logs) -> None:
    async with logs.open() as log:
        await logs.fill(log, 20)
        async with log.subscribe(
            [logs.topic], group=logs.group("gathers"), on_assigned=ignore, on_revoked=ignore, gather=BRIEFLY
        ) as subscription:
            assert len(await drain(subscription, 20)) == 20
            await logs.fill(log, 1)
            assert len(await drain(subscription, 1)) == 1


async def test_a_missing_topic_is_named(logs: Logs) -> None:
    async with logs.open() as log:
        with pytest.raises(TopicMismatch, match="nowhere"):
            async with reading(log, "notifications.nowhere"):
                pass


async def test_a_fetch_waits_for_the_first_record(logs: Logs) -> None:
    async with logs.open() as log:
        await log.ensure_topics(logs.specs)
        async with logs.reading(log) as subscription:
            waiting = asyncio.ensure_future(subscription.fetch(limit=10, wait=SOON))
            await write(log, logs.record(1))

            assert values(await waiting) == {b"value-1"}


async def test_a_reader_in_a_hurry_gets_what_is_there_and_waits_for_nothing(logs: Logs) -> None:
    async with logs.open() as log:
        await logs.fill(log, 3)
        async with logs.reading(log) as subscription:
            found = [*await subscription.fetch(limit=1, wait=SOON)]
            subscription.hurry()
            async with asyncio.timeout(60):
                while more := await subscription.fetch(limit=1, wait=timedelta(hours=1)):
                    found.extend(more)

    assert 1 <= len(found) <= 3
    assert values(found) <= {b"value-0", b"value-1", b"value-2"}


async def test_a_fetch_respects_its_limit_and_each_record_comes_once(logs: Logs) -> None:
    async with logs.open() as log:
        await logs.fill(log, 100)
        async with logs.reading(log) as subscription:
            fetched: list[Sequence[Received]] = []
            while sum(len(records) for records in fetched) < 100:
                fetched.append(await subscription.fetch(limit=7, wait=SOON))
            fetched.append(await subscription.fetch(limit=7, wait=BRIEFLY))

    assert max(map(len, fetched)) <= 7
    everything = [r.value for records in fetched for r in records]
    assert len(everything) == len(set(everything)) == 100


async def test_what_a_fetch_leaves_out_is_not_lost(logs: Logs) -> None:
    async with logs.open() as log:
        await log.ensure_topics(logs.specs)
        await write(log, logs.record(1, key=key_of(1)), logs.record(2, key=key_of(2)))
        async with logs.reading(log) as subscription:
            first = await subscription.fetch(limit=10, wait=SOON, only=[Partition(logs.topic, 2)])
            nothing = await subscription.fetch(limit=10, wait=BRIEFLY, only=[])
            second = await subscription.fetch(limit=10, wait=SOON)

    assert values(first) == {b"value-2"}
    assert nothing == ()
    assert values(second) == {b"value-1"}


async def test_a_group_goes_on_at_its_commit(logs: Logs) -> None:
    async with logs.open() as log:
        await logs.fill(log, 10, key=b"same")
        place = Partition(logs.topic, partition_for(b"same", PARTITIONS))
        async with logs.reading(log) as subscription:
            received = await drain(subscription, 10)
            await subscription.commit({place: received[4].offset})
    async with logs.open() as log, logs.reading(log) as subscription:
        again = await drain(subscription, 6)

    assert [r.value for r in again] == [b"value-%d" % n for n in range(4, 10)]


async def test_groups_do_not_know_each_other(logs: Logs) -> None:
    async with logs.open() as log:
        await logs.fill(log, 10, key=b"same")
        place = Partition(logs.topic, partition_for(b"same", PARTITIONS))
        async with logs.reading(log, group="one") as one, logs.reading(log, group="two") as two:
            received = await drain(one, 10)
            await one.commit({place: received[-1].offset + 1})

            assert len(await drain(two, 10)) == 10


async def test_a_commit_never_goes_back(logs: Logs) -> None:
    async with logs.open() as log:
        await logs.fill(log, 10, key=b"same")
        place = Partition(logs.topic, partition_for(b"same", PARTITIONS))
        async with logs.reading(log) as subscription:
            received = await drain(subscription, 10)
            await subscription.commit({place: received[8].offset})
            await subscription.commit({place: received[2].offset})
        async with logs.reading(log) as subscription:
            assert values(await drain(subscription, 2)) == {b"value-8", b"value-9"}


async def test_several_subscribers_share_a_group_without_overlap(logs: Logs) -> None:
    async with logs.open() as log:
        await logs.fill(log, 200)
        async with logs.reading(log) as one, logs.reading(log) as two, logs.reading(log) as three:
            members = (one, two, three)
            await shared_out(*members)
            owned = [set(member.assigned) for member in members]
            seen = await drain_all(members, 200)

    assert all(owned)
    assert sum(map(len, owned)) == len(set().union(*owned)) == PARTITIONS
    assert sorted(r.value for r in seen) == sorted(b"value-%d" % n for n in range(200))


async def test_partitions_are_told_on_their_way_from_one_to_another(logs: Logs) -> None:
    """One log takes away what it must, another takes all away and gives most of it back."""
    owned: set[Partition] = set()

    async def assigned(partitions: Collection[Partition]) -> None:
        assert owned.isdisjoint(partitions)
        owned.update(partitions)

    async def revoked(partitions: Collection[Partition]) -> None:
        assert owned.issuperset(partitions)
        owned.difference_update(partitions)

    async with logs.open() as log:
        await log.ensure_topics(logs.specs)
        group = logs.group("g")
        async with log.subscribe([logs.topic], group=group, on_assigned=assigned, on_revoked=revoked) as subscription:
            assert len(owned) == PARTITIONS
            async with log.subscribe([logs.topic], group=group, on_assigned=ignore, on_revoked=ignore) as other:
                await shared_out(subscription, other)
                assert owned == set(subscription.assigned)
                assert owned.isdisjoint(other.assigned)
            await until(lambda: len(owned) == PARTITIONS, what="the partitions of the one that left")

    assert owned == set()


async def test_a_revoked_partition_may_be_committed_until_it_is_gone(logs: Logs) -> None:
    async with logs.open() as log:
        await logs.fill(log, 40)
        async with logs.reading(log) as reader:
            received = await drain(reader, 40)
        ends = {Partition(logs.topic, r.partition): r.offset + 1 for r in received}

        async def revoked(partitions: Collection[Partition]) -> None:
            await leaving.commit({p: ends[p] for p in partitions if p in ends})

        async with log.subscribe(
            [logs.topic], group=logs.group("g"), on_assigned=ignore, on_revoked=revoked
        ) as leaving:
            pass
        async with logs.reading(log, group="g") as after:
            assert await after.fetch(limit=40, wait=BRIEFLY) == ()


async def test_a_stale_commit_is_refused_whole(logs: Logs) -> None:
    async with logs.open() as log:
        await logs.fill(log, 40)
        async with logs.reading(log) as first:
            everything = dict.fromkeys(first.assigned, 1)
            async with logs.reading(log) as second:
                with pytest.raises(CommitFenced):
                    await first.commit(everything)
                await shared_out(first, second)
                taken = await second.fetch(limit=100, wait=SOON)
                assert taken
            kept = await first.fetch(limit=100, wait=SOON)
        async with logs.reading(log) as after:
            assert len(await drain(after, 40)) == 40
        assert kept


async def test_a_closed_subscription_owns_nothing(logs: Logs) -> None:
    async with logs.open() as log:
        await logs.fill(log, 5)
        async with logs.reading(log) as subscription:
            owned = dict.fromkeys(subscription.assigned, 1)
        with pytest.raises(CommitFenced):
            await subscription.commit(owned)


async def test_a_sink_may_seek_when_it_is_assigned(logs: Logs) -> None:
    async with logs.open() as log:
        await logs.fill(log, 10, key=b"same")
        place = Partition(logs.topic, partition_for(b"same", PARTITIONS))
        entered: list[Collection[Partition]] = []

        async def assigned(partitions: Collection[Partition]) -> None:
            entered.append(partitions)

        async with log.subscribe(
            [logs.topic], group=logs.group("g"), on_assigned=assigned, on_revoked=ignore
        ) as subscription:
            received = await drain(subscription, 10)
            await subscription.seek({place: received[6].offset})
            again = await drain(subscription, 4)

    assert entered
    assert [r.value for r in again] == [b"value-%d" % n for n in range(6, 10)]


async def test_lag_is_what_lies_after_the_commit(logs: Logs) -> None:
    async with logs.open() as log:
        await logs.fill(log, 10, key=b"same")
        place = Partition(logs.topic, partition_for(b"same", PARTITIONS))
        async with logs.reading(log, group="g") as subscription:
            received = await drain(subscription, 10)
            before = await subscription.lag()
            await subscription.commit({place: received[6].offset + 1})

            assert before[place] == 10
            assert (await subscription.lag())[place] == 3
            assert (await log.group_lag(logs.group("g")))[place] == 3


async def test_a_group_is_behind_what_it_has_not_passed_and_was_written_before(logs: Logs) -> None:
    hour = timedelta(hours=1)
    async with logs.open() as log:
        await logs.fill(log, 3)
        async with logs.reading(log) as subscription:
            group, topic = logs.group("readers"), logs.topic
            received = await drain(subscription, 3)
            written = received[0].timestamp

            assert await log.behind(group, topic, before=written + hour)
            assert not await log.behind(group, topic, before=written - hour)
            await subscription.commit({each.place: each.offset + 1 for each in received[:1]})
            assert await log.behind(group, topic, before=written + hour)
            await subscription.commit({each.place: each.offset + 1 for each in received})
            assert not await log.behind(group, topic, before=written + hour)
            assert await log.behind(logs.group("another"), topic, before=written + hour)


async def test_a_log_that_is_open_takes_writes(logs: Logs) -> None:
    async with logs.open() as log:
        health = log.health()

    assert (health.writable, health.accepting, health.detail) == (True, True, "")
