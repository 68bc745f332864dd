"""Places in a pool: bounded, in turn, up to a deadline, and never lost."""

import asyncio

from tests.support.waiting import until
from tocsin.net.places import Places


def soon() -> float:
    return asyncio.get_running_loop().time() + 30


async def test_so_many_at_a_time_and_the_others_in_turn() -> None:
    places = Places(2)
    assert await places.take(soon())
    assert await places.take(soon())
    order: list[int] = []

    async def wait(number: int) -> None:
        assert await places.take(soon())
        order.append(number)

    tasks = [asyncio.create_task(wait(number)) for number in range(3)]
    await until(lambda: len(places._waiting) == 3, what="all to wait")
    for done in range(3):
        places.give()
        await until(lambda done=done: len(order) == done + 1, what="the next one")  # type: ignore[misc]
    await asyncio.gather(*tasks)
    assert order == [0, 1, 2]


async def test_who_waited_until_the_deadline_has_no_place_and_leaves_none_taken() -> None:
    places = Places(1)
    assert await places.take(soon())
    assert not await places.take(asyncio.get_running_loop().time())
    places.give()
    assert await places.take(soon())


async def test_a_cancelled_wait_takes_nothing() -> None:
    places = Places(1)
    assert await places.take(soon())
    waiting = asyncio.create_task(places.take(soon()))
    await until(lambda: len(places._waiting) == 1, what="it to wait")
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    places.give()
    assert await places.take(soon())


async def test_a_place_that_comes_together_with_the_cancellation_is_given_on() -> None:
    places = Places(1)
    assert await places.take(soon())
    first = asyncio.create_task(places.take(soon()))
    second = asyncio.create_task(places.take(soon()))
    await until(lambda: len(places._waiting) == 2, what="both to wait")
    places.give()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)

    assert first.cancelled()
    assert await second
