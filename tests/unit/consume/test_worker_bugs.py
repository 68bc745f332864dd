"""The worker on a real log: what goes wrong in it and below it leaves no hole."""

import asyncio
from datetime import timedelta

import pytest

from tests.support.waiting import until
from tests.unit.consume.worker_floor import (
    DEAD,
    OUT,
    Floor,
    Handler,
    numbers,
    settlement,
    ticks,
)
from tocsin.errors import LogUnavailable, NotClaimed, StoreUnavailable
from tocsin.ledger.port import Settlement
from tocsin.lifecycle import State
from tocsin.record import Received, Record


async def test_a_bug_of_the_handler_costs_its_record_only(floor: Floor) -> None:
    async def fail(_received: Received) -> Settlement | None:
        raise ZeroDivisionError

    floor.handler.scripts = {b"2": fail, b"3": fail}
    await floor.write(*range(6))
    async with floor.worker():
        await floor.commits_to(6)

    assert await floor.values(DEAD) == [b"2", b"3"]
    assert await floor.values(OUT) == numbers(0, 1, 4, 5)
    assert floor.permits.in_flight == 0


async def test_a_cancellation_that_leaks_from_a_handler_leaves_no_hole(floor: Floor) -> None:
    """A library under a provider may let the cancellation of a task of its own out: it is a bug like any other."""

    async def leak(_received: Received) -> Settlement | None:
        floor.handler.scripts.clear()
        raise asyncio.CancelledError

    floor.handler.scripts[b"2"] = leak
    await floor.write(*range(6))
    async with floor.worker():
        await until(lambda: len(floor.handler.settled_) >= 5, what="the others", seconds=8)
        await floor.write(6)
        await until(lambda: (b"6", True) in floor.handler.settled_, what="one after the leak", seconds=8)

        await floor.commits_to(7)


async def test_a_bug_in_the_bookkeeping_after_a_settlement_leaves_no_hole(floor: Floor) -> None:
    class Miscounting(Handler):
        def settled(self, received: Received, settlement: Settlement, *, effective: bool) -> None:
            super().settled(received, settlement, effective=effective)
            if received.value == b"2":
                raise ZeroDivisionError

    floor.handler = Miscounting()
    await floor.write(*range(6))
    async with floor.worker():
        await until(lambda: len(floor.handler.settled_) >= 6, what="all six")

        await floor.commits_to(6)
    assert await floor.values(OUT) == numbers(*range(6))


async def test_a_bug_in_the_answer_to_a_bug_leaves_no_hole(floor: Floor) -> None:
    """The record is handled again, or ends somehow; it does not vanish from the bookkeeping for good."""

    class Clumsy(Handler):
        def on_bug(self, received: Received, error: BaseException) -> Settlement:
            raise KeyError(received.offset) from error

    async def fail_once(_received: Received) -> Settlement | None:
        floor.handler.scripts.clear()
        raise ZeroDivisionError

    floor.handler = Clumsy(scripts={b"0": fail_once})
    await floor.write(0, 1)
    async with floor.worker():
        await until(lambda: (b"1", True) in floor.handler.settled_, what="the neighbour")

        await until(lambda: floor.committed() == 2 or ticks(floor.clock), what="the commit", seconds=8)


@pytest.mark.parametrize("error", [StoreUnavailable("away"), LogUnavailable("away"), NotClaimed("no")])
async def test_infrastructure_that_fails_is_tried_again_by_the_clock(floor: Floor, error: Exception) -> None:
    fails = 3

    async def fail(received: Received) -> Settlement | None:
        nonlocal fails
        if fails:
            fails -= 1
            raise error
        return settlement(received)

    floor.handler.scripts[b"1"] = fail
    await floor.write(0, 1, 2)
    async with floor.worker():
        for tries, pause in ((1, 0.2), (2, 0.4), (3, 0.8)):
            await until(lambda: floor.handler.handled.count(b"1") == tries, what="the next try")  # noqa: B023 - awaited
            await floor.commits_to(1)
            floor.clock.advance(timedelta(seconds=pause))
        await floor.commits_to(3)

    assert floor.handler.handled.count(b"1") == 4
    assert await floor.values(OUT) == numbers(0, 1, 2)
    assert await floor.values(DEAD) == []


async def test_a_settlement_that_cannot_be_written_is_written_later_and_once(floor: Floor) -> None:
    floor.ledger.failures = 5
    await floor.write(0)
    async with floor.worker() as worker:
        for left in (4, 3, 2, 1, 0):
            await until(lambda: floor.ledger.failures == left, what="the next try")  # noqa: B023 - awaited
            assert (floor.committed(), worker.unfinished) == (0, 1)
            floor.clock.advance(timedelta(seconds=5))
        await floor.commits_to(1)

    assert floor.handler.handled == [b"0"]
    assert await floor.values(OUT) == [b"0"]


async def test_a_settlement_without_effect_is_told_and_done(floor: Floor) -> None:
    async def end(received: Received) -> Settlement | None:
        return Settlement(
            source=received.source,
            records=(Record(topic=OUT, key=b"x", value=received.value),),
            life=("dlv", 0),
            terminal=State.DELIVERED,
        )

    floor.handler.scripts[b"*"] = end
    await floor.write(0, 1, 2)
    async with floor.worker():
        await floor.commits_to(3)

    assert sorted(effective for _, effective in floor.handler.settled_) == [False, False, True]
    assert len(await floor.values(OUT)) == 1
