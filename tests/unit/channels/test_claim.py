"""A ledger that is slow to grant a claim: what waited past the attempt's deadline is no attempt, and nobody's fault."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from channels import attempt as attempts
from channels.attempt import AttemptConfig, Attempts
from channels.reading import Reader
from channels.routes import Routes
from channels.tally import Tally
from tests.support.backends import CHANNEL, Embedded, Standing
from tests.support.clock import ManualClock
from tests.support.delivering import make_delivery, record_of
from tests.support.scripted import ScriptedCarrier, ScriptedProvider
from tocsin import hops, schemas, tiers, topics
from tocsin.delivery import Delivery, TemplateRef
from tocsin.errors import LogUnavailable
from tocsin.ledger.port import AttemptKey, ClaimAnswer, Ledger, Settlement, Submission, SubmitAnswer
from tocsin.lifecycle import State
from tocsin.observe.metrics import Metrics
from tocsin.record import Received, Record, Source
from tocsin.retry import RetryPolicy


class SlowLedger:
    """Fulfils `Ledger`: keeps who claims waiting for so long, and is as quick as the one behind it with all else."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.wait_seconds = 0.0

    async def claim(self, key: AttemptKey, source: Source, *, durable: bool) -> ClaimAnswer:
        await asyncio.sleep(self.wait_seconds)
        return await self._ledger.claim(key, source, durable=durable)

    async def settle(self, settlement: Settlement) -> bool:
        return await self._ledger.settle(settlement)

    async def submit(self, submissions: Sequence[Submission]) -> Sequence[SubmitAnswer]:
        return await self._ledger.submit(submissions)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A channel's handler on a slow ledger."""

    standing: Standing
    ledger: SlowLedger
    provider: ScriptedProvider
    routes: Routes
    handler: Attempts
    clock: ManualClock

    async def given(self) -> Received:
        """Return the record of a delivery, as a worker gets it."""
        return await self.written(record_of(make_delivery("ada@example.test", now=self.clock.now())))

    async def written(self, record: Record) -> Received:
        async with self.standing.log.publisher() as publisher:
            await publisher.write([record])
        return (await self.standing.read(record.topic))[-1]

    async def handled(self, received: Received) -> Settlement:
        settlement = await self.handler.handle(received)
        assert settlement is not None
        assert await self.ledger.settle(settlement)
        self.handler.settled(received, settlement, effective=True)
        return settlement


async def no_template(ref: TemplateRef) -> None:
    raise AssertionError(ref.name)


async def never_suppressed(_delivery: Delivery) -> None:
    return None


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(attempts, "_GRACE_SECONDS", 3)
    clock, metrics = ManualClock(), Metrics(version="test")
    provider = ScriptedProvider(clock)
    carrier = ScriptedCarrier(provider)
    routes = Routes([provider], clock=clock, random=lambda: 0.5, on_change=lambda *_: None)
    async with Embedded().opened(tmp_path, clock, metrics) as standing:
        ledger = SlowLedger(standing.ledger)
        handler = Attempts(
            AttemptConfig(channel=CHANNEL, policy=RetryPolicy(), deadline=timedelta(seconds=1)),
            reader=Reader(schemas.load("delivery")),
            carrier=carrier,
            ledger=ledger,
            clock=clock,
            random=lambda: 0.5,
            tally=Tally(CHANNEL, metrics=metrics),
            routes=routes,
            fetch_template=no_template,
            suppressed=never_suppressed,
        )
        yield World(standing=standing, ledger=ledger, provider=provider, routes=routes, handler=handler, clock=clock)


async def test_a_claim_that_is_not_answered_in_time_is_asked_for_again_and_no_attempt(world: World) -> None:
    received = await world.given()
    world.ledger.wait_seconds = 60
    with pytest.raises(LogUnavailable):
        await world.handler.handle(received)
    [route] = world.routes._all
    assert (world.provider.calls, route.turns.under_way, route.health(0.0)) == ([], 0, 1.0)

    world.ledger.wait_seconds = 0
    settlement = await world.handled(received)
    assert settlement.terminal is State.DELIVERED
    assert settlement.key is not None
    assert settlement.key.attempt == 1


async def test_a_claim_that_is_granted_too_late_is_given_back_and_no_attempt(world: World) -> None:
    received = await world.given()
    world.ledger.wait_seconds = 1.5
    parked = await world.handled(received)
    [route] = world.routes._all
    assert (world.provider.calls, route.turns.under_way, route.health(0.0)) == ([], 0, 1.0)
    assert (parked.key, parked.terminal) == (None, None)
    assert parked.gives_back is not None

    world.ledger.wait_seconds = 0
    [record] = parked.records
    assert record.topic == topics.retry(CHANNEL, make_delivery("a", now=world.clock.now()).lane, tiers.TIERS[0])
    assert hops.read(record.headers).attempt == 0
    world.clock.advance(timedelta(seconds=5))
    settlement = await world.handled(await world.written(record))
    assert settlement.terminal is State.DELIVERED
    assert settlement.key is not None
    assert settlement.key.attempt == 1
