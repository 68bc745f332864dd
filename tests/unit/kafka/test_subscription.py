"""What a subscription does where aiokafka sets traps: polls, seeks, rebalances, commits and the end."""

import asyncio
from collections.abc import Collection
from datetime import timedelta

import pytest

from tests.unit.kafka.fakes import GROUP, A, B, Cluster, Stage
from tocsin.errors import CommitFenced, LogUnavailable
from tocsin.eventlog.kafka.driver import CommitFailedError, IllegalStateError, KafkaError
from tocsin.eventlog.kafka.subscription import KafkaSubscription
from tocsin.record import Partition, Received

NOW = timedelta()
SHORTLY = timedelta(milliseconds=20)
SOON = timedelta(seconds=2)


async def drain(subscription: KafkaSubscription, count: int, *, only: Collection[Partition] | None = None) -> list[str]:
    """Return the next records as `partition/offset`, failing the test if they do not come."""
    found: list[Received] = []
    async with asyncio.timeout(5):
        while len(found) < count:
            found += await subscription.fetch(limit=10, wait=SOON, only=only)
    return [received.value.decode() for received in found]


async def test_a_poll_that_a_rebalance_holds_up_is_left_alone(
    subscription: KafkaSubscription, cluster: Cluster
) -> None:
    consumer = cluster.consumers[0]
    consumer.held.clear()
    cluster.put(A, 0)

    assert await subscription.fetch(limit=10, wait=SHORTLY) == ()
    assert await subscription.fetch(limit=10, wait=SHORTLY) == ()
    consumer.held.set()
    assert await drain(subscription, 1) == ["0/0"]
    assert len(consumer.polls) == 1
    assert not consumer.cancelled


async def test_where_nothing_is_open_the_sentinel_is_polled(subscription: KafkaSubscription, cluster: Cluster) -> None:
    cluster.put(A, 0)

    assert await subscription.fetch(limit=10, wait=NOW, only=[]) == ()
    [(asked, _)] = cluster.consumers[0].polls
    assert set(asked).isdisjoint(cluster.partitions)
    assert len(asked) == 1


async def test_a_member_without_partitions_goes_on_polling(subscription: KafkaSubscription, cluster: Cluster) -> None:
    await cluster.consumers[0].rebalance([])

    assert not subscription.assigned
    for _ in range(3):
        assert await subscription.fetch(limit=10, wait=NOW) == ()
    assert len(cluster.consumers[0].polls) == 3


async def test_what_is_left_out_stays_in_the_consumer(subscription: KafkaSubscription, cluster: Cluster) -> None:
    cluster.put(A, 0, 1)
    cluster.put(B, 0)

    assert await drain(subscription, 1, only=[B]) == ["1/0"]
    assert await drain(subscription, 2) == ["0/0", "0/1"]


async def test_what_comes_late_for_a_partition_that_is_left_out_by_now_waits(
    subscription: KafkaSubscription, cluster: Cluster
) -> None:
    consumer = cluster.consumers[0]
    consumer.held.clear()
    cluster.put(A, 0)
    cluster.put(B, 0)
    await subscription.fetch(limit=10, wait=SHORTLY)
    consumer.held.set()

    assert await drain(subscription, 1, only=[B]) == ["1/0"]
    assert await drain(subscription, 1) == ["0/0"]


async def test_what_was_polled_before_a_seek_is_void(subscription: KafkaSubscription, cluster: Cluster) -> None:
    consumer = cluster.consumers[0]
    cluster.put(A, *range(10))
    consumer.held.clear()
    await subscription.fetch(limit=10, wait=SHORTLY)
    await subscription.seek({A: 7})
    await subscription.fetch(limit=10, wait=SHORTLY)
    consumer.held.set()

    assert await drain(subscription, 3) == ["0/7", "0/8", "0/9"]


async def test_a_seek_back_is_not_overtaken_by_what_was_fetched_before(stage: Stage, cluster: Cluster) -> None:
    cluster.put(A, *range(8))
    cluster.commits = {A: 5}
    subscription = stage.subscription()
    await subscription.open()
    consumer = cluster.consumers[0]
    consumer.slow.clear()
    await subscription.fetch(limit=10, wait=SHORTLY)
    await subscription.seek({A: 2})
    await subscription.fetch(limit=10, wait=SHORTLY)
    consumer.slow.set()

    assert await drain(subscription, 6) == [f"0/{offset}" for offset in range(2, 8)]
    await subscription.close()


async def test_after_a_rebalance_it_reads_on_at_the_commit(subscription: KafkaSubscription, cluster: Cluster) -> None:
    cluster.put(A, *range(5))
    await drain(subscription, 5)
    await subscription.commit({A: 3})
    await cluster.consumers[0].rebalance([A])

    assert await drain(subscription, 2) == ["0/3", "0/4"]


async def test_a_rebalance_voids_what_was_on_its_way(subscription: KafkaSubscription, cluster: Cluster) -> None:
    consumer = cluster.consumers[0]
    cluster.put(A, *range(5))
    consumer.held.clear()
    await subscription.fetch(limit=10, wait=SHORTLY)
    await consumer.rebalance([A, B])
    await subscription.fetch(limit=10, wait=SHORTLY)
    consumer.held.set()

    assert await drain(subscription, 5) == [f"0/{offset}" for offset in range(5)]


async def test_nothing_is_fetched_before_the_owner_has_been_told(stage: Stage, cluster: Cluster) -> None:
    told, may_end = asyncio.Event(), asyncio.Event()

    async def assigned(_: Collection[Partition]) -> None:
        told.set()
        await may_end.wait()

    subscription = stage.subscription(on_assigned=assigned)
    cluster.put(A, 0)
    opening = asyncio.create_task(subscription.open())
    await told.wait()

    assert await subscription.fetch(limit=10, wait=SHORTLY) == ()
    may_end.set()
    await opening
    assert await drain(subscription, 1) == ["0/0"]
    await subscription.close()


async def test_an_error_takes_nothing_of_the_other_partitions(
    subscription: KafkaSubscription, stage: Stage, cluster: Cluster
) -> None:
    cluster.put(A, *range(5))
    cluster.put(B, *range(6), bad=[3])

    found = await drain(subscription, 10)

    assert sorted(found) == sorted([f"0/{n}" for n in range(5)] + [f"1/{n}" for n in (0, 1, 2, 4, 5)])
    assert b"tocsin_log_unreadable_total" in stage.metrics.render()[0]
    assert stage.condition.health().accepting


async def test_several_unreadable_records_are_all_passed(subscription: KafkaSubscription, cluster: Cluster) -> None:
    cluster.put(A, *range(4), bad=[0, 3])
    cluster.put(B, *range(4), bad=[0, 1])

    assert sorted(await drain(subscription, 4)) == ["0/1", "0/2", "1/2", "1/3"]


async def test_a_fetch_that_fails_says_so_and_loses_nothing(subscription: KafkaSubscription, cluster: Cluster) -> None:
    cluster.put(A, *range(3))
    await drain(subscription, 3)
    cluster.put(A, 3)
    consumer = cluster.consumers[0]
    consumer.positions[A] = 4  # as if the poll had drained it before it failed
    consumer.errors.append(KafkaError("not authorised"))

    with pytest.raises(LogUnavailable, match="not authorised"):
        await subscription.fetch(limit=10, wait=SHORTLY)
    assert await drain(subscription, 1) == ["0/3"]


async def test_a_commit_is_bounded_in_time(stage: Stage, cluster: Cluster) -> None:
    subscription = stage.subscription(commit=0.05)
    await subscription.open()
    cluster.consumers[0].commit_held = True

    with pytest.raises(LogUnavailable, match="not confirmed"):
        await subscription.commit({A: 1})
    await subscription.close()


@pytest.mark.parametrize("error", [CommitFailedError(), IllegalStateError()])
async def test_a_commit_that_comes_too_late_is_fenced(
    subscription: KafkaSubscription, cluster: Cluster, error: Exception
) -> None:
    cluster.consumers[0].commit_error = error

    with pytest.raises(CommitFenced):
        await subscription.commit({A: 1})


async def test_a_commit_of_what_is_not_ours_stores_nothing(subscription: KafkaSubscription, cluster: Cluster) -> None:
    await cluster.consumers[0].rebalance([A])

    with pytest.raises(CommitFenced):
        await subscription.commit({A: 1, B: 1})
    assert cluster.commits == {}


async def test_a_commit_does_not_go_behind_what_another_process_committed(stage: Stage, cluster: Cluster) -> None:
    cluster.put(A, *range(9))
    cluster.commits = {A: 8}
    subscription = stage.subscription()
    await subscription.open()
    await subscription.commit({A: 5})
    await subscription.close()

    assert cluster.commits == {A: 8}


async def test_it_drains_and_commits_before_it_leaves(stage: Stage, cluster: Cluster) -> None:
    async def revoked(partitions: Collection[Partition]) -> None:
        cluster.happened.append("drained")
        await subscription.commit(dict.fromkeys(partitions, 4))

    subscription = stage.subscription(on_revoked=revoked)
    await subscription.open()
    await subscription.close()

    assert cluster.happened == ["drained", ("commit", {A: 4, B: 4}), "stop"]
    assert not subscription.assigned


async def test_what_a_rebalance_brings_while_it_leaves_is_not_taken(stage: Stage, cluster: Cluster) -> None:
    told: list[Collection[Partition]] = []
    draining, may_end = asyncio.Event(), asyncio.Event()

    async def assigned(partitions: Collection[Partition]) -> None:
        told.append(partitions)

    async def revoked(_: Collection[Partition]) -> None:
        draining.set()
        await may_end.wait()

    subscription = stage.subscription(on_assigned=assigned, on_revoked=revoked)
    await subscription.open()
    closing = asyncio.create_task(subscription.close())
    await draining.wait()
    rebalancing = asyncio.create_task(cluster.consumers[0].assign([A, B]))
    await asyncio.sleep(0)
    may_end.set()
    await asyncio.gather(closing, rebalancing)

    assert not subscription.assigned
    assert told == [[A, B]]


async def test_while_its_owner_drains_nothing_more_is_fetched(stage: Stage, cluster: Cluster) -> None:
    told, may_end = asyncio.Event(), asyncio.Event()

    async def revoked(_: Collection[Partition]) -> None:
        told.set()
        await may_end.wait()

    subscription = stage.subscription(on_revoked=revoked)
    await subscription.open()
    await subscription.fetch(limit=10, wait=NOW)
    cluster.put(A, 0)
    rebalancing = asyncio.create_task(cluster.consumers[0].rebalance([A]))
    await told.wait()

    assert await subscription.fetch(limit=10, wait=SHORTLY) == ()
    may_end.set()
    await rebalancing
    assert await drain(subscription, 1) == ["0/0"]
    await subscription.close()


async def test_a_group_that_cannot_be_joined_is_told_of(stage: Stage, cluster: Cluster) -> None:
    cluster.startable = False

    with pytest.raises(LogUnavailable, match=GROUP):
        await stage.subscription().open()
    assert cluster.happened == ["stop"]
