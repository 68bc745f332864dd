"""Scenario 11: a provider that asks to wait, in seconds or by a date, for minutes or for a week."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.backends import Backend
from tests.support.clock import ManualClock
from tests.support.kinds import KINDS, Kind
from tests.support.stages import Stage, staged
from tocsin import deadletter
from tocsin.delivery import Delivery
from tocsin.lifecycle import Event

# SMTP has no such thing.
THROTTLING = [name for name, kind in KINDS.items() if kind.throttled]
OF_ONE_MESSAGE = [name for name, kind in KINDS.items() if kind.later]
ASKED = 300
WEEK = 7 * 24 * 3600


async def waited(stage: Stage, delivery: Delivery) -> float:
    """Return the seconds between a delivery's two attempts."""
    first, second = await stage.attempts(delivery)
    return (second.time - first.time).total_seconds()


@pytest.mark.kinds(THROTTLING)
@pytest.mark.parametrize("as_date", [False, True], ids=["seconds", "date"])
async def test_the_next_try_is_when_it_asked_for(
    tmp_path: Path, backend: Backend, clock: ManualClock, kind: Kind, *, as_date: bool
) -> None:
    async with staged(kind, tmp_path, clock, backend=backend) as stage:
        assert kind.throttled is not None
        asked = kind.asked(ASKED, clock.now(), as_date=as_date)
        await stage.peer.fault({**kind.throttled, **asked, "times": 1})
        [delivery] = await stage.accept(await stage.address(0))
        await stage.running.run_until_over()

        assert ASKED <= await waited(stage, delivery) <= ASKED + 1
        assert await stage.count(Event.DELIVERED) == await stage.peer.taken() == 1


@pytest.mark.kinds(OF_ONE_MESSAGE)
async def test_its_neighbours_are_not_delayed(tmp_path: Path, backend: Backend, clock: ManualClock, kind: Kind) -> None:
    async with staged(kind, tmp_path, clock, backend=backend) as stage:
        assert kind.later is not None
        addresses = [await stage.address(number) for number in range(6)]
        for number, address in enumerate(addresses):
            asked = kind.asked(ASKED, clock.now(), as_date=False) if number % 2 else {}
            await stage.peer.fault({**kind.later, **asked, **kind.whom(address), "times": 1})
        given = await stage.accept(*addresses)
        await stage.running.run_until_over()
        waits = [await waited(stage, delivery) for delivery in given]

        assert max(waits[0::2]) <= max(5, kind.patience) * 1.05 + 1
        assert ASKED <= min(waits[1::2]) <= max(waits[1::2]) <= ASKED + 1


@pytest.mark.kinds(THROTTLING)
async def test_a_week_is_too_long(tmp_path: Path, backend: Backend, clock: ManualClock, kind: Kind) -> None:
    async with staged(kind, tmp_path, clock, backend=backend) as stage:
        assert kind.throttled is not None
        await stage.peer.fault({**kind.throttled, **kind.asked(WEEK, clock.now(), as_date=False)})
        await stage.accept(await stage.address(0), expires_in=timedelta(days=20))
        await stage.running.run_until_over()
        [letter] = await stage.running.dead_letters()

        assert deadletter.read(letter).reason == "retry_after_too_long"
        assert len(stage.provider.calls) == 1
        assert await stage.peer.taken() == 0
