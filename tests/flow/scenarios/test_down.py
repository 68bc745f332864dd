"""Scenario 8: a provider that is down for ten minutes, and then up again."""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.backends import Backend
from tests.support.clock import ManualClock
from tests.support.kinds import KINDS, Kind
from tests.support.stages import Stage, staged
from tocsin.lifecycle import Event

STEP = timedelta(seconds=2)
DOWN = 600
# Of 200 a second this is a fifth of a second's. Then fewer come: what is bounded below does not grow with them.
FIRST = 40
BATCH, EVERY = 4, 10
TOTAL = FIRST + BATCH * DOWN // EVERY
# The breaker judges by its first calls; the rest of what was in hand then fails with them.
WINDOW, IN_HAND = 20, 32
OPENING, PROBES_APART = 60, 5
RECOVERY = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """What came of it. `probes` are in seconds since the first call, once it had lasted for a while.

    `soon` were taken within 30 s of its end, and `fresh` of what came then.
    """

    attempts: int
    probes: list[float]
    soon: int
    fresh: int


async def test_one_that_refuses_connections_is_probed_and_nothing_is_burned(
    tmp_path: Path, backend: Backend, clock: ManualClock, kind: Kind
) -> None:
    async with staged(kind, tmp_path, clock, backend=backend, in_flight=IN_HAND) as stage:
        found = await outage(stage, begin=stage.peer.shut, end=stage.peer.open)
        await judge(stage, found)


@pytest.mark.kinds(tuple(KINDS), kafka=False)
async def test_one_that_answers_that_it_is_down_is_probed_and_nothing_is_burned(
    tmp_path: Path, backend: Backend, clock: ManualClock, kind: Kind
) -> None:
    """Some answers leave open whether the message was taken: what got one is spared, for two would be its end."""
    async with staged(kind, tmp_path, clock, backend=backend, in_flight=IN_HAND) as stage:
        suffered = 0

        async def begin() -> None:
            await stage.peer.fault(kind.outage)

        async def end() -> None:
            nonlocal suffered
            suffered = await stage.peer.suffered()
            await stage.peer.mend()

        found = await outage(stage, begin=begin, end=end)
        await judge(stage, found)
        assert suffered <= found.attempts


async def outage(stage: Stage, *, begin: Callable[[], Awaitable[None]], end: Callable[[], Awaitable[None]]) -> Outage:
    """Have deliveries come all the time, before and after the end."""
    addresses = [await stage.address(number) for number in range(BATCH)]
    await begin()
    await stage.accept(*(addresses * (FIRST // BATCH)))
    await stage.running.settle_down()
    for _ in range(DOWN // EVERY):
        await stage.accept(*addresses)
        await pass_time(stage, EVERY)
    attempts, probes = await stage.count(Event.ATTEMPTED), probes_of(stage)
    await end()
    await pass_time(stage, RECOVERY)
    soon = await stage.peer.taken()
    await stage.accept(*addresses)
    await stage.running.settle_down()
    fresh = await stage.peer.taken() - soon
    await stage.running.run_until_over()
    return Outage(attempts=attempts, probes=probes, soon=soon, fresh=fresh)


async def judge(stage: Stage, found: Outage) -> None:
    """Fail unless it was borne as promised."""
    assert found.probes
    # Where there are several push services, each of them is probed until all are taken to be down.
    assert max(Counter(found.probes).values()) <= len(stage.peer.doors)
    assert all(after - before >= PROBES_APART for before, after in pairwise(sorted(set(found.probes))))
    assert found.attempts <= WINDOW + IN_HAND + OPENING / PROBES_APART + len(found.probes)
    # What was tried before the breaker opened may have to wait for its tier.
    assert found.soon >= TOTAL - WINDOW - IN_HAND
    assert found.fresh >= BATCH
    assert await stage.running.dead_letters() == []
    assert await stage.peer.taken() == await stage.count(Event.DELIVERED) == TOTAL + BATCH


async def pass_time(stage: Stage, seconds: int) -> None:
    """Move on in small steps."""
    for _ in range(seconds // STEP.seconds):
        stage.running.clock.advance(STEP)
        await stage.running.settle_down()


def probes_of(stage: Stage) -> list[float]:
    """Return when it was called, in seconds, once it had been down for a while."""
    start = stage.provider.calls[0]
    return [at for call in stage.provider.calls if (at := (call - start).total_seconds()) > OPENING]
