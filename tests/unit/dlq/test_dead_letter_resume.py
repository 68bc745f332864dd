"""Decisions that were cut off are finished at the start and every minute, each on its own."""

import asyncio
from datetime import timedelta

import pytest

from dlq import changes
from dlq.decisions import Decisions
from dlq.items import State
from dlq.resume import Resume
from tests.support.clock import ManualClock
from tests.support.waiting import until
from tests.unit.dlq import support
from tests.unit.dlq.support import Log
from tocsin.errors import LogUnavailable
from tocsin.store.engine import Store


async def begun(store: Store, number: int, clock: ManualClock) -> str:
    """Keep a letter whose replay was cut off just now; return its id."""
    letter = support.a_death(support.a_delivery(number=number))
    await support.keep(store, letter)
    item = await support.look(store, support.letter_id(letter))
    async with store.write() as connection:
        await changes.begin_replay(connection, item, life=1, actor="key_1", now=clock.now())
    return item.id


async def state(store: Store, letter_id: str) -> State:
    return (await support.look(store, letter_id)).state


async def at_rest(clock: ManualClock) -> timedelta:
    """Wait until the loop rests; return for how long it means to."""
    await until(clock.next_due, what="the loop rests")
    due = clock.next_due()
    assert due is not None
    return due - clock.now()


async def test_more_letters_than_a_page_are_all_finished(
    store: Store, decisions: Decisions, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dlq.resume._PAGE", 2)
    letters = [await begun(store, number, clock) for number in range(5)]
    await Resume(store=store, decisions=decisions, clock=clock).once(before=clock.now())
    assert [await state(store, each) for each in letters] == [State.REPLAYED] * 5


async def test_a_letter_that_cannot_be_finished_keeps_no_other_waiting(
    store: Store, decisions: Decisions, log: Log, clock: ManualClock
) -> None:
    letters = [await begun(store, number, clock) for number in range(3)]
    log.failing = [RuntimeError("a bug")]
    await Resume(store=store, decisions=decisions, clock=clock).once(before=clock.now())
    assert sorted([await state(store, each) for each in letters]) == [
        State.REPLAYED,
        State.REPLAYED,
        State.REPLAYING,
    ]


async def test_a_log_that_cannot_be_written_is_tried_again_a_minute_later(
    store: Store, decisions: Decisions, log: Log, clock: ManualClock
) -> None:
    letter = await begun(store, 1, clock)
    log.failing = [LogUnavailable("disk full")]
    resume = Resume(store=store, decisions=decisions, clock=clock)
    running = asyncio.create_task(resume.run())
    rest = await at_rest(clock)
    assert await state(store, letter) is State.REPLAYING
    assert rest == timedelta(minutes=1)
    clock.advance(rest)
    await at_rest(clock)
    assert await state(store, letter) is State.REPLAYED
    resume.stop()
    await asyncio.wait_for(running, timeout=5)


async def test_a_decision_of_just_now_is_left_to_whoever_made_it(
    store: Store, decisions: Decisions, clock: ManualClock
) -> None:
    resume = Resume(store=store, decisions=decisions, clock=clock)
    running = asyncio.create_task(resume.run())
    rest = await at_rest(clock)
    clock.advance(rest - timedelta(seconds=1))
    letter = await begun(store, 1, clock)
    clock.advance(timedelta(seconds=1))
    await at_rest(clock)
    assert await state(store, letter) is State.REPLAYING
    resume.stop()
    await asyncio.wait_for(running, timeout=5)


async def test_a_stop_before_the_start_is_not_lost(store: Store, decisions: Decisions, clock: ManualClock) -> None:
    resume = Resume(store=store, decisions=decisions, clock=clock)
    resume.stop()
    resume.stop()
    await asyncio.wait_for(resume.run(), timeout=5)
