"""Records that were gone before they were read: never in silence."""

from datetime import timedelta

import pytest

from tests.unit.kafka.fakes import A, Cluster, Stage
from tocsin.eventlog.kafka import losses
from tocsin.record import Received

SOON = timedelta(seconds=1)


async def values(stage: Stage, count: int, *, seek: int | None = None) -> list[str]:
    """Return the next records of a new subscription."""
    subscription = stage.subscription()
    await subscription.open()
    if seek is not None:
        await subscription.seek({A: seek})
    found: list[Received] = []
    while len(found) < count:
        found += await subscription.fetch(limit=count, wait=SOON)
    await subscription.close()
    return [received.value.decode() for received in found]


@pytest.mark.parametrize(
    ("commit", "words"),
    [(2, "offsets 2 to 4 were deleted"), (9, "ends at offset 7")],
    ids=["retention was faster", "the end was lost"],
)
async def test_a_commit_outside_of_the_partition_is_an_alarm(
    stage: Stage, cluster: Cluster, commit: int, words: str
) -> None:
    cluster.put(A, 5, 6)
    cluster.beginnings[A], cluster.commits = 5, {A: commit}

    assert await values(stage, 2) == ["0/5", "0/6"]
    health = stage.condition.health()
    assert (health.writable, health.accepting) == (True, False)
    assert words in health.detail
    assert b'tocsin_log_lost_total{group="readers"} 1.0' in stage.metrics.render()[0]


async def test_so_is_an_offset_that_a_sink_kept(stage: Stage, cluster: Cluster) -> None:
    cluster.put(A, 5, 6)
    cluster.beginnings[A], cluster.commits = 5, {A: 5}

    assert await values(stage, 2, seek=3) == ["0/5", "0/6"]
    assert "offsets 3 to 4" in stage.condition.health().detail


async def test_a_sink_that_knows_nothing_lost_nothing(stage: Stage, cluster: Cluster) -> None:
    cluster.put(A, 5, 6)
    cluster.beginnings[A] = 5

    assert await values(stage, 2, seek=0) == ["0/5", "0/6"]
    assert stage.condition.health().accepting


async def test_so_is_what_went_while_it_was_being_read(stage: Stage, cluster: Cluster) -> None:
    subscription = stage.subscription()
    cluster.put(A, 0)
    await subscription.open()
    await subscription.fetch(limit=10, wait=SOON)
    cluster.beginnings[A] = 20
    cluster.put(A, 20)
    found = await subscription.fetch(limit=10, wait=SOON)
    await subscription.close()

    assert [received.offset for received in found] == [20]
    assert "offsets 1 to 19" in stage.condition.health().detail


async def test_a_gap_is_not(stage: Stage, cluster: Cluster) -> None:
    cluster.put(A, 0, 3, 9)

    assert await values(stage, 3) == ["0/0", "0/3", "0/9"]
    assert stage.condition.health().accepting


async def test_after_an_end_that_was_lost_it_commits_again(stage: Stage, cluster: Cluster) -> None:
    cluster.put(A, 0, 1)
    cluster.commits = {A: 50}
    subscription = stage.subscription()
    await subscription.open()
    await subscription.fetch(limit=10, wait=SOON)
    await subscription.commit({A: 2})
    await subscription.close()

    assert cluster.commits == {A: 2}


def test_a_new_group_starts_at_the_oldest_record() -> None:
    assert losses.start(committed=None, wanted=None, beginning=5, end=9) == losses.Start(offset=5)


def test_a_sink_s_own_offset_goes_before_the_commit() -> None:
    assert losses.start(committed=8, wanted=6, beginning=5, end=9) == losses.Start(offset=6)
