"""Scenario 17: a provider that is slow, with ten times as much to do as it can."""

from datetime import timedelta
from pathlib import Path

from tests.support.backends import Backend
from tests.support.clock import ManualClock
from tests.support.kinds import IN_FLIGHT, Kind
from tests.support.stages import Stage, staged
from tests.support.waiting import until
from tocsin import topics
from tocsin.delivery import Lane
from tocsin.lifecycle import Event

TOOK = 5
# In the time of one call it can take IN_FLIGHT messages.
ARRIVE = 10 * IN_FLIGHT
TURNS = 6
# What may be in memory: what goes in the two seconds that a delivery may wait for its turn, besides what is being sent.
HELD = 2 * IN_FLIGHT


async def test_it_gets_no_more_than_it_bears_and_the_rest_stays_in_the_log(
    tmp_path: Path, backend: Backend, clock: ManualClock, kind: Kind
) -> None:
    async with staged(kind, tmp_path, clock, backend=backend) as stage:
        addresses = [await stage.address(number) for number in range(IN_FLIGHT)]
        await stage.peer.fault(kind.slow(TOOK))
        # It takes a few calls to learn how long one lasts.
        for turn in range(TURNS):
            await stage.accept(*addresses)
            await one_turn(stage, turn)
        held, lags = list[int](), list[int]()
        for turn in range(TURNS, 2 * TURNS):
            await stage.accept(*(addresses * (ARRIVE // IN_FLIGHT)))
            held.append(await one_turn(stage, turn))
            lags.append(await lag(stage))
        await stage.until_suffered((2 * TURNS + 1) * IN_FLIGHT)
        await stage.peer.mend()
        clock.advance(timedelta(seconds=TOOK))
        await stage.running.run_until_over()
        total = TURNS * IN_FLIGHT + TURNS * ARRIVE

        assert stage.provider.most == IN_FLIGHT
        assert max(held) <= HELD
        # In a straight line, as far as commits are told: they wait for the first that is not done.
        line = [turn * (ARRIVE - IN_FLIGHT) for turn in range(1, TURNS + 1)]
        assert all(abs(found - wanted) <= 2 * HELD for found, wanted in zip(lags, line, strict=True)), lags
        assert await stage.peer.taken() == total
        assert await stage.count(Event.ATTEMPTED) == await stage.count(Event.DELIVERED) == total


async def one_turn(stage: Stage, turn: int) -> int:
    """Let the provider end as many calls as it bears; return how many deliveries were in hand meanwhile."""
    ended = (turn + 1) * IN_FLIGHT
    await stage.until_suffered(ended)
    held = stage.running.in_hand
    stage.running.clock.advance(timedelta(seconds=TOOK))
    await until(lambda: stage.provider.ended >= ended, what="calls to end")
    return held


async def lag(stage: Stage) -> int:
    """Return how much of the fresh records is not committed."""
    group = topics.worker_group(stage.kind.channel, Lane.NORMAL, retrying=False)
    return sum((await stage.running.log.group_lag(group)).values())
