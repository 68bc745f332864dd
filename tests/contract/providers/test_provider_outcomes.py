"""What every provider makes of what its peer says, and of what breaks on the way."""

import asyncio

import pytest

from tests.contract.providers.conftest import CASES
from tests.contract.providers.harness import Answer
from tests.contract.providers.world import World
from tests.support.waiting import until
from tocsin.outcome import Deferred, Unconfirmed
from tocsin.runtime.discover import channels


def test_every_channel_has_providers_under_contract() -> None:
    assert {case.channel for case in CASES} == set(channels())


async def test_a_message_is_delivered_once_and_the_connection_is_kept(world: World) -> None:
    for _ in range(3):
        await world.works()

    assert len(world.peer.sent) == 3


@pytest.mark.parametrize(
    "answer",
    [
        Answer.NO_SUCH_ADDRESS,
        Answer.BAD_MESSAGE,
        Answer.WRONG_SECRET,
        Answer.TOO_FAST,
        Answer.BUSY,
        Answer.NONSENSE,
    ],
    ids=lambda answer: answer.name.lower(),
)
async def test_an_answer_comes_to_its_outcome(world: World, answer: Answer) -> None:
    expected = world.case.expected[answer]
    world.peer.next(answer)
    claim = world.claim()
    outcome = await world.send(claim)

    assert type(outcome) is expected.kind, outcome
    assert {name: getattr(outcome, name) for name in expected.members} == expected.members
    assert (len(world.peer.sent), claim.sent) == (expected.sends, [0] * expected.claims)
    world.rest()
    await world.works()


@pytest.mark.parametrize("answer", [Answer.GARBAGE, Answer.CUT], ids=lambda answer: answer.name.lower())
async def test_what_was_sent_and_not_answered_is_unconfirmed_and_not_sent_again(world: World, answer: Answer) -> None:
    world.peer.next(answer)
    claim = world.claim()
    outcome = await world.send(claim)

    assert isinstance(outcome, Unconfirmed), outcome
    assert (len(world.peer.sent), claim.sent) == (1, [0])
    world.rest()
    await world.works()


async def test_silence_after_the_message_is_unconfirmed_at_the_deadline(world: World) -> None:
    await world.works()
    world.peer.next(Answer.SILENCE)
    claim = world.claim()
    outcome = await world.send(claim, seconds=2)

    assert isinstance(outcome, Unconfirmed), outcome
    assert (len(world.peer.sent), claim.sent) == (2, [1])
    await world.works()


async def test_silence_before_the_message_is_deferred_at_the_deadline(world: World) -> None:
    world.wire.silent = True
    claim = world.claim()
    outcome = await world.send(claim, seconds=0.3)
    world.wire.silent = False

    assert isinstance(outcome, Deferred), outcome
    assert (len(world.peer.sent), claim.sent) == (0, [])
    world.rest()
    await world.works()


async def test_a_connection_that_breaks_while_it_is_made_is_deferred(world: World) -> None:
    world.wire.cut_after = 10
    claim = world.claim()
    outcome = await world.send(claim)
    world.wire.cut_after = None

    assert isinstance(outcome, Deferred), outcome
    assert (len(world.peer.sent), claim.sent) == (0, [])
    world.rest()
    await world.works()


async def test_a_connection_that_broke_at_rest_is_not_sent_over(world: World) -> None:
    await world.works()
    world.wire.reset()
    await until(lambda: world.peer.open == 0, what="the connection to be gone")
    await world.works()

    assert world.peer.connections == 2


async def test_where_the_certificate_is_not_trusted_nothing_is_claimed_and_nothing_sent(world: World) -> None:
    world.authority.trust(trusted=False)
    claim = world.claim()
    outcome = await world.send(claim)
    world.authority.trust(trusted=True)

    assert type(outcome) is world.case.untrusted, outcome
    assert (len(world.peer.sent), claim.sent) == (0, [])
    world.rest()
    await world.works()


async def test_many_at_a_time_are_each_delivered_once(world: World) -> None:
    await world.works()
    await asyncio.gather(*(world.send() for _ in range(20)))

    assert len(world.peer.sent) == 21
