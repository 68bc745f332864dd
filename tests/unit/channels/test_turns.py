"""Who goes next where a provider bears so many calls and no more."""

import asyncio

import pytest

from channels.turns import Turns


async def waiting(turns: Turns, *, urgent: bool = False, until: float = 10.0) -> asyncio.Task[bool]:
    """Return one who waits."""
    task = asyncio.create_task(turns.wait(until=until, urgent=urgent))
    await asyncio.sleep(0)
    return task


async def test_no_more_than_the_limit_go() -> None:
    turns = Turns(2)

    assert [turns.enter() for _ in range(3)] == [True, True, False]


async def test_they_go_in_the_order_in_which_they_came_but_the_urgent_first() -> None:
    turns = Turns(1)
    turns.enter()
    first, second, urgent = await waiting(turns), await waiting(turns), await waiting(turns, urgent=True)
    for expected in (urgent, first, second):
        turns.leave()
        assert await asyncio.wait_for(expected, 1) is True

    assert (turns.under_way, turns.waiting) == (1, 0)


async def test_a_limit_that_fell_lets_nobody_in_before_enough_have_left() -> None:
    turns = Turns(3)
    for _ in range(3):
        turns.enter()
    task = await waiting(turns)
    turns.limit = 1
    turns.leave()
    turns.leave()
    assert not task.done()

    turns.leave()
    assert await task is True
    assert turns.under_way == 1


async def test_who_has_waited_for_long_enough_is_sent_away() -> None:
    turns = Turns(1)
    turns.enter()
    soon, late = await waiting(turns, until=5.0), await waiting(turns, until=9.0)
    turns.expire(5.0)

    assert await soon is False
    turns.dismiss()
    assert await late is False
    assert turns.under_way == 1


@pytest.mark.parametrize("granted", [False, True])
async def test_a_turn_is_not_lost_with_the_one_who_is_cancelled(granted: bool) -> None:
    turns = Turns(1)
    turns.enter()
    cancelled, next_ = await waiting(turns), await waiting(turns)
    if granted:
        turns.leave()
    cancelled.cancel()
    await asyncio.gather(cancelled, return_exceptions=True)
    if not granted:
        turns.leave()

    assert await asyncio.wait_for(next_, 1) is True
    assert turns.under_way == 1
