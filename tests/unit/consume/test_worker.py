"""The worker on a real log, with a handler that does as it is told."""

import asyncio
from collections.abc import Awaitable, Mapping
from datetime import timedelta

import pytest

from tests.support.logs import drain, reading
from tests.support.waiting import until
from tests.unit.consume.worker_floor import (
    OUT,
    Floor,
    Held,
    numbers,
    ticks,
)
from tocsin.errors import LogUnavailable
from tocsin.ledger.port import Settlement
from tocsin.record import Partition, Received


async def test_the_commit_waits_at_the_record_that_hangs_while_the_others_finish(floor: Floor) -> None:
    """Scenario 2."""
    held = floor.handler.scripts[b"7"] = Held()
    await floor.write(*range(100))
    async with floor.worker() as worker:
        await until(lambda: worker.unfinished == 1 and len(floor.handler.settled_) == 99, what="99 of 100")
        await floor.commits_to(7)
        held.go.set()

        await floor.commits_to(100)
    assert floor.budget.used == 0
    assert await floor.values(OUT) == numbers(*range(100))


async def test_what_a_worker_leaves_undone_the_next_one_finds_and_nothing_else(floor: Floor) -> None:
    held = floor.handler.scripts[b"7"] = Held()
    await floor.write(*range(10))
    async with floor.worker(drain=0.01):
        await until(lambda: len(floor.handler.settled_) == 9, what="all but one")
    assert floor.committed() == 7
    held.go.set()
    floor.handler.handled.clear()
    async with floor.worker():
        await floor.commits_to(10)

    assert floor.handler.handled == [b"7", b"8", b"9"]
    assert floor.budget.used == 0
    assert floor.permits.in_flight == 0


async def test_a_record_that_needs_nothing_is_done(floor: Floor) -> None:
    async def nothing(_received: Received) -> Settlement | None:
        return None

    floor.handler.scripts[b"*"] = nothing
    await floor.write(0, 1)
    async with floor.worker():
        await floor.commits_to(2)

    assert floor.handler.settled_ == []
    assert floor.budget.used == 0


async def test_stopping_waits_for_what_runs_and_commits_it(floor: Floor) -> None:
    held = floor.handler.scripts[b"*"] = Held()
    await floor.write(*range(5))
    async with floor.worker() as worker:
        await until(lambda: held.inside == 5, what="five under way")
        worker.stop()
        worker.stop()
        asyncio.get_running_loop().call_later(0.05, held.go.set)

    assert floor.committed() == 5
    assert await floor.values(OUT) == numbers(*range(5))
    assert (floor.budget.used, floor.permits.in_flight) == (0, 0)


async def test_a_stop_before_the_start_is_not_lost(floor: Floor) -> None:
    await floor.write(0)
    async with asyncio.timeout(5):
        async with floor.worker() as worker:
            worker.stop()

    assert floor.handler.handled == []


async def test_workers_that_come_and_go_handle_each_record_once_while_they_can_drain(floor: Floor) -> None:
    await floor.write(*range(200), partition=0)
    await floor.write(*range(200, 400), partition=1)
    async with floor.worker(window=10):
        for _ in range(3):
            async with floor.worker(window=10) as second:
                await until(lambda: second._trackers, what="a share")
        await floor.commits_to(200, partition=0)
        await floor.commits_to(200, partition=1)

    assert sorted(floor.handler.handled) == numbers(*range(400))
    assert await floor.values(OUT) == numbers(*range(400))
    assert floor.budget.used == 0


async def test_a_commit_that_failed_is_made_later(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    commit, fails = floor.log.commit, [2]

    def unsteady(group: str, next_offsets: Mapping[Partition, int]) -> Awaitable[None]:
        if fails[0]:
            fails[0] -= 1
            raise LogUnavailable("the disk is full")
        return commit(group, next_offsets)

    monkeypatch.setattr(floor.log, "commit", unsteady)
    await floor.write(0)
    async with floor.worker():
        await until(lambda: not fails[0] or ticks(floor.clock), what="two failed commits")
        floor.clock.advance(timedelta(seconds=1))

        await floor.commits_to(1)


async def test_what_comes_during_a_commit_does_not_wait_for_it(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    commit, begun, go = floor.log.commit, asyncio.Event(), asyncio.Event()

    async def slow(group: str, next_offsets: Mapping[Partition, int]) -> None:
        begun.set()
        await go.wait()
        await commit(group, next_offsets)

    monkeypatch.setattr(floor.log, "commit", slow)
    await floor.write(0)
    async with floor.worker():
        await begun.wait()
        await floor.write(1)
        await until(lambda: len(floor.handler.settled_) == 2, what="the second record, settled")
        assert floor.committed() == 0
        go.set()

        await floor.commits_to(2)


async def test_a_stop_waits_for_the_commit_under_way(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    commit, begun, go, under_way = floor.log.commit, asyncio.Event(), asyncio.Event(), [0, 0]

    async def slow(group: str, next_offsets: Mapping[Partition, int]) -> None:
        under_way[0] += 1
        under_way[1] = max(under_way)
        begun.set()
        await go.wait()
        await commit(group, next_offsets)
        under_way[0] -= 1

    monkeypatch.setattr(floor.log, "commit", slow)
    await floor.write(0)
    async with floor.worker() as worker:
        await begun.wait()
        worker.stop()
        await floor.write(1)
        go.set()

    assert (floor.committed(), under_way) == (1, [0, 1])


async def test_a_fetch_that_fails_is_repeated_by_the_clock(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    read, calls = floor.log.read, [0]

    async def unsteady(wants):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - fails once, passes on
        calls[0] += 1
        if calls[0] == 1:
            raise LogUnavailable("unreadable")
        return await read(wants)

    monkeypatch.setattr(floor.log, "read", unsteady)
    await floor.write(0)
    async with floor.worker():
        await until(lambda: calls[0] == 1 and floor.clock.next_due(), what="a pause")
        floor.clock.advance(timedelta(milliseconds=200))

        await floor.commits_to(1)
    assert floor.handler.handled == [b"0"]


async def test_reading_goes_on_beyond_the_first_fetch(floor: Floor) -> None:
    await floor.write(*range(1500))
    async with floor.worker(window=600):
        await floor.commits_to(1500)
    async with reading(floor.log, OUT) as subscription:
        found = await drain(subscription, 1500)

    assert len({record.value for record in found}) == 1500
