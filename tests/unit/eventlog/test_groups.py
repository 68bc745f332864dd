"""Members that come and go while the disk is full, reads that are overtaken, and what a group knows after a restart."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.clock import ManualClock
from tests.support.logs import NOW, drain, embedded_config, ignore, reading, write
from tests.support.waiting import until
from tocsin.errors import LogUnavailable
from tocsin.eventlog.embedded.groups import shares
from tocsin.eventlog.embedded.log import EmbeddedLog, open_log
from tocsin.eventlog.embedded.reader import Want
from tocsin.eventlog.embedded.subscription import EmbeddedSubscription
from tocsin.eventlog.port import Offsets
from tocsin.observe.metrics import Metrics
from tocsin.record import Partition, Received, Record
from tocsin.topics import TopicSpec

TOPIC = "log.test"
PLACE = Partition(TOPIC, 0)
PARTITIONS = 8


@asynccontextmanager
async def opened(directory: Path, clock: ManualClock | None = None) -> AsyncIterator[EmbeddedLog]:
    """Open a log with one topic."""
    config = embedded_config(directory, partitions=PARTITIONS)
    async with open_log(config, clock=clock or ManualClock(), metrics=Metrics(version="test")) as log:
        await log.ensure_topics([TopicSpec(name=TOPIC, kind="delivery")])
        yield log


def ticks(clock: ManualClock) -> bool:
    """Let a second pass; always false, for conditions that only time may bring about."""
    clock.advance(timedelta(seconds=1))
    return False


def break_positions(log: EmbeddedLog, monkeypatch: pytest.MonkeyPatch, *, times: int) -> None:
    """Let the next look-ups of positions fail as a full disk does."""
    positions, left = log._groups._positions, [times]

    async def unsteady(group: str, partitions: Collection[Partition]) -> dict[Partition, int]:
        if left[0]:
            left[0] -= 1
            raise LogUnavailable("the disk is full")
        return await positions(group, partitions)

    monkeypatch.setattr(log._groups, "_positions", unsteady)


async def test_who_could_not_join_owns_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as log:
        break_positions(log, monkeypatch, times=1)
        with pytest.raises(LogUnavailable):
            async with reading(log, TOPIC):
                pass
        async with reading(log, TOPIC) as subscription:
            assert len(subscription.assigned) == PARTITIONS


async def test_who_could_not_join_takes_nothing_from_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as log, reading(log, TOPIC) as first:
        break_positions(log, monkeypatch, times=1)
        with pytest.raises(LogUnavailable):
            async with reading(log, TOPIC):
                pass
        async with reading(log, TOPIC) as second:
            assert len(first.assigned) + len(second.assigned) == PARTITIONS

        assert len(first.assigned) == PARTITIONS


async def test_what_a_leaver_had_is_not_orphaned_by_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether leaving raises or not: somebody has to look again, or nobody reads the partitions any more."""
    clock = ManualClock()
    async with opened(tmp_path, clock) as log, reading(log, TOPIC) as first:
        with suppress(LogUnavailable):
            async with reading(log, TOPIC):
                break_positions(log, monkeypatch, times=1)

        await until(
            lambda: len(first.assigned) == PARTITIONS or ticks(clock),
            what="the partitions to have an owner",
        )


async def test_a_bug_in_a_leavers_callback_does_not_orphan_its_partitions(tmp_path: Path) -> None:
    async def buggy(_partitions: Collection[Partition]) -> None:
        raise ZeroDivisionError

    async with opened(tmp_path) as log, reading(log, TOPIC) as first:
        with pytest.raises(ZeroDivisionError):
            async with log.subscribe([TOPIC], group="readers", on_assigned=ignore, on_revoked=buggy):
                pass

        assert len(first.assigned) == PARTITIONS


async def test_the_lag_of_a_group_is_known_after_a_restart_before_it_joins(tmp_path: Path) -> None:
    async with opened(tmp_path) as log:
        await write(log, *(Record(topic=TOPIC, key=b"k", value=b"x") for _ in range(10)))
        async with reading(log, TOPIC, group="sink") as subscription:
            found = await drain(subscription, 10)
            await subscription.commit({Partition(TOPIC, found[0].partition): 4})
    async with opened(tmp_path) as log:
        assert sum((await log.group_lag("sink")).values()) == 6


async def test_a_commit_that_failed_does_not_count_as_read(tmp_path: Path) -> None:
    async with opened(tmp_path) as log:
        await write(log, *(Record(topic=TOPIC, key=b"k", value=b"x") for _ in range(10)))
        async with reading(log, TOPIC, group="sink") as subscription:
            found = await drain(subscription, 10)
            run = log._writer.run
            log._writer.run = lambda *_args, **_more: _failed()  # type: ignore[method-assign, assignment]
            with pytest.raises(LogUnavailable):
                await subscription.commit({Partition(TOPIC, found[0].partition): 10})
            log._writer.run = run  # type: ignore[method-assign]

            assert sum((await log.group_lag("sink")).values()) == 10


def _failed() -> asyncio.Future[None]:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.set_exception(LogUnavailable("the disk is full"))
    return future


class SlowShelf:
    """A shelf of one partition with a hundred records, whose reads wait until they are let go."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.reading = asyncio.Event()

    def tail(self, _partition: Partition) -> int:
        return 100

    def want(self, partition: Partition, start: int, limit: int) -> Want:
        return Want(partition, 1, start, 100, limit)

    async def read(self, wants: Sequence[Want]) -> list[list[Received]]:
        self.reading.set()
        await self.go.wait()
        return [
            [
                Received(
                    place=want.partition,
                    offset=offset,
                    key=None,
                    value=b"",
                    headers=(),
                    timestamp=datetime(2030, 1, 1, tzinfo=UTC),
                )
                for offset in range(want.start, min(want.end, want.start + want.limit))
            ]
            for want in wants
        ]

    async def commit(self, _group: str, _next_offsets: Offsets) -> None:
        raise AssertionError("nobody commits here")

    def committed(self, _group: str, _partition: Partition) -> int:
        return 0


async def overtaken(shelf: SlowShelf, subscription: EmbeddedSubscription, *, how: str) -> list[int]:
    """Begin a read at 50, move the partition back to 20 meanwhile, and return all the offsets that come."""
    await subscription.give({PLACE: 50})
    fetching = asyncio.ensure_future(subscription.fetch(limit=10, wait=timedelta(seconds=5)))
    await shelf.reading.wait()
    if how == "seek":
        await subscription.seek({PLACE: 20})
    else:
        await subscription.take_away([PLACE])
        await subscription.give({PLACE: 20})
    shelf.go.set()
    found = list(await fetching)
    for _ in range(20):
        found.extend(await subscription.fetch(limit=100, wait=NOW))
    return [record.offset for record in found]


@pytest.mark.parametrize("how", ["seek", "reassigned"])
async def test_a_read_that_was_overtaken_does_not_skip_what_lies_before_it(how: str) -> None:
    """A partition that goes and comes back to an earlier commit while a read of it is under way."""
    shelf = SlowShelf()
    subscription = EmbeddedSubscription(shelf, [TOPIC], group="g", on_assigned=ignore, on_revoked=ignore)

    assert await overtaken(shelf, subscription, how=how) == list(range(20, 100))


class Somebody:
    """A member as `shares` sees it."""

    def __init__(self, topics: Sequence[str]) -> None:
        self.topics = topics
        self.assigned: Collection[Partition] = ()

    async def take_away(self, partitions: Collection[Partition]) -> None:
        raise AssertionError(partitions)

    async def give(self, positions: dict[Partition, int]) -> None:
        raise AssertionError(positions)


@given(st.lists(st.sets(st.sampled_from("abc"), min_size=1), max_size=5), st.integers(1, 8))
def test_each_partition_goes_to_one_of_those_who_asked_for_its_topic(topics: list[set[str]], count: int) -> None:
    members = [Somebody(sorted(names)) for names in topics]
    partitions = [Partition(topic, index) for topic in "abc" for index in range(count)]
    owned = shares(members, partitions)
    given_away = [partition for share in owned for partition in share]

    assert len(given_away) == len(set(given_away))
    assert set(given_away) == {p for p in partitions if any(p.topic in names for names in topics)}
    assert all(p.topic in member.topics for member, share in zip(members, owned, strict=True) for p in share)
