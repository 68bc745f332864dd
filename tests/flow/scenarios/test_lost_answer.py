"""Scenario 13: a provider that takes a message and closes the connection before it has answered."""

from pathlib import Path

from tests.support.backends import Backend
from tests.support.clock import ManualClock
from tests.support.kinds import Kind
from tests.support.stages import staged
from tocsin import deadletter
from tocsin.lifecycle import Event


async def test_at_least_once_it_is_sent_once_more_and_the_audit_says_why(
    tmp_path: Path, backend: Backend, clock: ManualClock, kind: Kind
) -> None:
    async with staged(kind, tmp_path, clock, backend=backend) as stage:
        await stage.peer.fault({**kind.lost, "times": 1})
        [delivery] = await stage.accept(await stage.address(0))
        await stage.running.run_until_over()
        outcomes = [each.data["outcome"] for each in await stage.attempts(delivery)]

        assert outcomes == ["unconfirmed", "delivered"]
        assert len(stage.provider.calls) == 2
        assert await stage.peer.taken() == (1 if kind.once else 2)
        assert await stage.count(Event.DELIVERED) == 1
        assert await stage.running.dead_letters() == []


async def test_at_most_once_it_is_sent_once_and_is_a_dead_letter_of_unknown_outcome(
    tmp_path: Path, backend: Backend, clock: ManualClock, kind: Kind
) -> None:
    async with staged(kind, tmp_path, clock, backend=backend) as stage:
        await stage.peer.fault(kind.lost)
        [delivery] = await stage.accept(await stage.address(0), semantics="at_most_once")
        await stage.running.run_until_over()
        [attempt] = await stage.attempts(delivery)
        [letter] = await stage.running.dead_letters()

        assert attempt.data["outcome"] == "unconfirmed"
        assert deadletter.read(letter).reason == "outcome_unknown"
        assert len(stage.provider.calls) == 1
        assert await stage.peer.taken() == 1
