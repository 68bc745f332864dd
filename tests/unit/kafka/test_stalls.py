"""A consumer that has stopped bringing anything is replaced; one that has nothing to bring is not."""

import asyncio
from collections.abc import Collection
from datetime import timedelta

from tests.support.waiting import until
from tests.unit.kafka.fakes import A, B, Cluster, Stage
from tocsin.eventlog.kafka.subscription import KafkaSubscription
from tocsin.eventlog.kafka.watchdog import Watchdog
from tocsin.record import Partition, Received

NOW = timedelta()
STALL = timedelta(seconds=61)


async def rounds(subscription: KafkaSubscription, *, only: Collection[Partition] | None = None) -> list[str]:
    """Fetch a few times; return what came."""
    found: list[Received] = []
    for _ in range(5):
        found += await subscription.fetch(limit=10, wait=NOW, only=only)
        await asyncio.sleep(0)
    return [received.value.decode() for received in found]


async def test_a_consumer_that_brings_nothing_of_what_is_there_is_replaced(stage: Stage, cluster: Cluster) -> None:
    revoked: list[Partition] = []

    async def on_revoked(partitions: Collection[Partition]) -> None:
        revoked.extend(partitions)

    subscription = stage.subscription(on_revoked=on_revoked)
    await subscription.open()
    await rounds(subscription)
    cluster.consumers[0].deaf = True
    cluster.put(A, 0)
    await rounds(subscription)
    stage.clock.advance(STALL)
    found = await rounds(subscription)
    await until(lambda: len(cluster.consumers) == 2 and subscription.assigned, what="another consumer")

    assert found + await rounds(subscription) == ["0/0"]
    assert sorted(revoked) == [A, B]
    assert cluster.happened == ["stop"]
    await subscription.close()


async def test_an_empty_partition_is_no_reason(subscription: KafkaSubscription, stage: Stage, cluster: Cluster) -> None:
    await rounds(subscription)
    stage.clock.advance(STALL)
    await rounds(subscription)

    assert len(cluster.consumers) == 1


async def test_neither_is_one_that_was_left_out(
    subscription: KafkaSubscription, stage: Stage, cluster: Cluster
) -> None:
    cluster.put(A, 0)
    await rounds(subscription, only=[B])
    stage.clock.advance(STALL)
    await rounds(subscription, only=[B])

    assert len(cluster.consumers) == 1


async def test_nor_a_cluster_that_is_away(subscription: KafkaSubscription, stage: Stage, cluster: Cluster) -> None:
    await rounds(subscription)
    cluster.consumers[0].deaf = True
    cluster.put(A, 0)
    cluster.reachable = False
    stage.clock.advance(STALL)
    await rounds(subscription)

    assert len(cluster.consumers) == 1


async def test_a_rebalance_that_never_ends_is_given_up(
    subscription: KafkaSubscription, stage: Stage, cluster: Cluster
) -> None:
    await cluster.consumers[0].listener.on_partitions_revoked({A, B})
    stage.clock.advance(timedelta(seconds=121))
    await rounds(subscription)
    await until(lambda: len(cluster.consumers) == 2 and subscription.assigned, what="another consumer")

    assert sorted(subscription.assigned) == [A, B]


async def test_joining_anew_is_tried_until_it_works(
    subscription: KafkaSubscription, stage: Stage, cluster: Cluster
) -> None:
    cluster.startable = False
    await cluster.consumers[0].listener.on_partitions_revoked({A, B})
    stage.clock.advance(timedelta(seconds=121))
    await rounds(subscription)
    await until(lambda: len(cluster.happened) == 2, what="the first try to fail")
    cluster.startable = True
    await until(lambda: stage.clock.next_due() is not None, what="the pause")
    stage.clock.advance(timedelta(seconds=1))
    await until(lambda: subscription.assigned, what="an assignment")

    assert len(cluster.consumers) == 3
    assert await rounds(subscription) == []


async def test_what_an_old_consumer_still_says_does_not_count(
    subscription: KafkaSubscription, stage: Stage, cluster: Cluster
) -> None:
    await cluster.consumers[0].listener.on_partitions_revoked({A, B})
    stage.clock.advance(timedelta(seconds=121))
    await rounds(subscription)
    await until(lambda: len(cluster.consumers) == 2 and subscription.assigned, what="another consumer")
    await cluster.consumers[0].rebalance([])

    assert sorted(subscription.assigned) == [A, B]


def test_the_watchdog_starts_anew_with_who_was_left_out() -> None:
    watchdog = Watchdog(patience=60)
    watchdog.asked([A, B], 0)
    watchdog.asked([B], 30)
    watchdog.asked([A, B], 50)

    assert watchdog.silent(70) == [B]
    watchdog.brought(B, 70)
    assert watchdog.silent(109) == []
    assert watchdog.silent(110) == [A]
    watchdog.pardon([A], 110)
    assert watchdog.silent(111) == []
