"""When providers claim, and that they leave nothing behind when a call is given up."""

import asyncio

import pytest

from tests.contract.providers.harness import Answer
from tests.contract.providers.world import World
from tests.support.waiting import until
from tocsin.errors import NotClaimed


async def test_what_is_not_claimed_is_not_sent_and_costs_no_connection(world: World) -> None:
    await world.works()
    connections = world.peer.connections
    claim = world.claim(granted=False)
    with pytest.raises(NotClaimed):
        await world.send(claim)
    again = world.claim()
    await world.send(again)

    assert (claim.sent, again.sent, len(world.peer.sent)) == ([1], [1], 2)
    assert world.peer.connections == connections


async def test_a_first_message_that_is_not_claimed_is_not_sent_either(world: World) -> None:
    claim = world.claim(granted=False)
    with pytest.raises(NotClaimed):
        await world.send(claim)

    assert (claim.sent, len(world.peer.sent)) == ([0], 0)
    await world.works()


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
async def test_the_answer_to_a_cancelled_call_is_not_taken_for_that_to_the_next(world: World, *, late: bool) -> None:
    world.peer.next(Answer.HELD)
    sending = asyncio.create_task(world.send())
    await until(lambda: world.peer.holds, what="the message")
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    if late:
        await world.works()
    world.peer.release()

    await world.works()


async def test_a_call_that_is_cancelled_while_it_claims_sends_nothing(world: World) -> None:
    asked, never = asyncio.Event(), asyncio.Event()

    async def claim() -> None:
        asked.set()
        await never.wait()

    sending = asyncio.create_task(world.send(claim))
    await asked.wait()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending

    assert len(world.peer.sent) == 0
    await world.works()


async def test_a_call_that_is_cancelled_while_it_connects_leaves_nothing_behind(world: World) -> None:
    world.wire.silent = True
    claim = world.claim()
    sending = asyncio.create_task(world.send(claim))
    await asyncio.sleep(0)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    world.wire.silent = False

    assert claim.sent == []
    await world.works()
