"""Batches of the ledger: who comes while one runs goes into the next, and where it pays one waits for more to come."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from tocsin.errors import LogUnavailable
from tocsin.ledger.postgres_batches import Batches

LONG = timedelta(seconds=60)
BRIEF = timedelta(milliseconds=20)


class Runs:
    """Answers each question with itself, doubled, and takes note of the batches."""

    def __init__(self) -> None:
        self.batches: list[Sequence[int]] = []
        self.go = asyncio.Event()
        self.go.set()

    async def run(self, questions: Sequence[int]) -> Sequence[int]:
        self.batches.append(list(questions))
        await self.go.wait()
        return [2 * each for each in questions]


@pytest.fixture
def runs() -> Runs:
    return Runs()


def batches(runs: Runs, *, gather: timedelta = timedelta(), prompt: bool = False) -> Batches[int, int]:
    return Batches("test", runs.run, weigh=lambda _: 1, gather=gather, prompt=prompt)


async def turns(count: int) -> None:
    """Let the loop turn."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_the_first_does_not_wait_and_who_comes_meanwhile_shares_the_next(runs: Runs) -> None:
    asking = batches(runs)
    runs.go.clear()
    first = asyncio.create_task(asking.ask(1))
    await turns(3)
    assert runs.batches == [[1]]
    others = [asyncio.create_task(asking.ask(number)) for number in (2, 3, 4)]
    await turns(3)
    runs.go.set()

    assert await asyncio.gather(first, *others) == [2, 4, 6, 8]
    assert runs.batches == [[1], [2, 3, 4]]


async def test_where_it_gathers_they_share_one_though_they_come_one_after_the_other(runs: Runs) -> None:
    asking = batches(runs, gather=BRIEF)
    asked = []
    for number in (1, 2, 3):
        asked.append(asyncio.create_task(asking.ask(number)))
        await turns(3)
    asking.tell(4)
    assert runs.batches == []

    assert await asyncio.gather(*asked) == [2, 4, 6]
    assert runs.batches == [[1, 2, 3, 4]]


async def test_many_that_wait_are_not_kept_waiting(runs: Runs) -> None:
    asking = batches(runs, gather=LONG)
    many = [asyncio.create_task(asking.ask(number)) for number in range(32)]

    async with asyncio.timeout(5):
        await asyncio.gather(*many)
    assert runs.batches == [list(range(32))]


async def test_many_that_come_while_it_gathers_are_not_kept_waiting_either(runs: Runs) -> None:
    asking = batches(runs, gather=LONG)
    first = asyncio.create_task(asking.ask(0))
    await turns(3)
    many = [asyncio.create_task(asking.ask(number)) for number in range(1, 32)]

    async with asyncio.timeout(5):
        await asyncio.gather(first, *many)
    assert runs.batches == [list(range(32))]


async def test_what_is_told_waits_for_a_question_that_does_not_wait(runs: Runs) -> None:
    asking = batches(runs, gather=LONG, prompt=True)
    asking.tell(1)
    asking.tell(2)
    await turns(3)
    assert runs.batches == []

    async with asyncio.timeout(5):
        assert await asking.ask(3) == 6
        assert await asking.ask(4) == 8
    assert runs.batches == [[1, 2, 3], [4]]


async def test_what_is_told_is_done_though_nobody_asks(runs: Runs) -> None:
    asking = batches(runs, gather=BRIEF, prompt=True)
    assert await asking.ask(1) == 2
    asking.tell(2)
    assert runs.batches == [[1]]

    await asking.close()
    assert runs.batches == [[1], [2]]


async def test_an_end_waits_for_what_is_being_gathered(runs: Runs) -> None:
    asking = batches(runs, gather=BRIEF)
    asking.tell(1)
    await asking.close()

    assert runs.batches == [[1]]


async def test_what_is_being_gathered_when_the_loop_is_torn_down_hears_of_it(runs: Runs) -> None:
    asking = batches(runs, gather=LONG)
    asked = asyncio.create_task(asking.ask(1))
    await turns(3)
    assert asking._task is not None
    asking._task.cancel()

    with pytest.raises(LogUnavailable):
        await asked
    assert runs.batches == []
