"""A change and its event never part: not when the log is away, and not when the process is killed."""

import asyncio
import random
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import MetaData

from examples.shop.kit.database import Database, open_database
from examples.shop.kit.metrics import ShopMetrics
from examples.shop.kit.outbox import Relay
from examples.shop.kit.unit import Units
from tests.shop import sums
from tests.shop.shops import ADA, ask, running
from tests.support.clock import ManualClock
from tests.support.waiting import until
from tocsin.errors import LogUnavailable
from tocsin.record import Record
from tocsin.runtime.clock import SystemClock

ROOT = Path(__file__).parents[2]


@dataclass(slots=True)
class Log:
    """Fulfils `eventlog.port.Publisher`: takes records, unless it is away."""

    away: bool = False
    taken: list[Record] = field(default_factory=list)
    tries: int = 0

    async def write(self, records: Sequence[Record]) -> None:
        """See the port."""
        self.tries += 1
        if self.away:
            raise LogUnavailable("away")
        self.taken += records


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An outbox, and the relay that tells what is in it."""

    clock: ManualClock
    log: Log
    units: Units
    relay: Relay
    database: Database

    async def emit(self, *subjects: str) -> None:
        """Emit an event of each of these customers in one unit of work."""
        async with self.units.begin() as unit:
            for subject in subjects:
                data = {"customer": {**ADA, "id": subject}, "version": 1}
                await unit.emit("CustomerCreated", subject=subject, data=data)

    def subjects(self) -> list[str]:
        """Return the subjects of what the log has taken."""
        return [(record.key or b"").decode() for record in self.log.taken]


@pytest.fixture
async def told() -> AsyncIterator[Told]:
    clock, log = ManualClock(), Log()
    async with open_database("sqlite:///:memory:") as database:
        await database.make(MetaData(), service="customers")
        relay = Relay(
            service="customers",
            topic="shop.customers",
            database=database,
            publisher=log,
            clock=clock,
            metrics=ShopMetrics(CollectorRegistry()),
        )
        units = Units(database, clock=clock, randbytes=random.randbytes)
        units.on_emitted(relay.wake)
        yield Told(clock=clock, log=log, units=units, relay=relay, database=database)


@asynccontextmanager
async def at_work(relay: Relay) -> AsyncIterator[None]:
    task = asyncio.create_task(relay.run())
    try:
        yield
    finally:
        relay.stop()
        await task


async def test_events_are_told_at_once_and_in_order(told: Told) -> None:
    async with at_work(told.relay):
        await told.emit("a", "b")
        await told.emit("c")
        await until(lambda: len(told.log.taken) == 3, what="the relay")
    assert told.subjects() == ["a", "b", "c"]
    assert told.clock.next_due() is None


async def test_what_is_rolled_back_is_not_told(told: Told) -> None:
    with pytest.raises(RuntimeError):
        async with told.units.begin() as unit:
            await unit.emit("CustomerCreated", subject="a", data={"customer": {**ADA, "id": "a"}, "version": 1})
            raise RuntimeError
    assert await told.relay.publish() == 0


async def test_an_event_that_does_not_fit_its_schema_is_not_emitted(told: Told) -> None:
    async with told.units.begin() as unit:
        with pytest.raises(ValueError, match="CustomerCreated does not fit"):
            await unit.emit("CustomerCreated", subject="a", data={"customer": {"id": "a"}})
        with pytest.raises(ValueError, match="NoSuchType does not fit"):
            await unit.emit("NoSuchType", subject="a", data={})


async def test_what_the_log_does_not_take_is_told_when_it_is_back(told: Told) -> None:
    told.log.away = True
    async with at_work(told.relay):
        await told.emit("a")
        await until(lambda: not told.relay.healthy and told.clock.next_due(), what="the relay to wait")
        assert told.relay.detail == "away"
        await told.emit("b")
        tries = told.log.tries
        told.clock.advance(timedelta(seconds=0.4))
        await asyncio.sleep(0)
        assert told.log.tries == tries
        told.log.away = False
        told.clock.advance(timedelta(seconds=0.2))
        await until(lambda: told.relay.healthy, what="the relay to go on")
    assert told.subjects() == ["a", "b"]


async def test_what_another_copy_left_is_found_without_being_woken(told: Told) -> None:
    async with at_work(told.relay):
        await until(lambda: told.clock.next_due() is not None, what="the relay to wait")
        other = Units(told.database, clock=told.clock, randbytes=random.randbytes)
        async with other.begin() as unit:
            await unit.emit("CustomerCreated", subject="a", data={"customer": {**ADA, "id": "a"}, "version": 1})
        told.clock.advance(timedelta(seconds=5))
        await until(lambda: told.log.taken, what="the relay to look")


async def test_what_is_emitted_before_the_end_is_told_before_the_end(told: Told) -> None:
    await told.emit(*(f"customer-{number}" for number in range(450)))
    told.relay.stop()
    await told.relay.run()
    assert len(told.log.taken) == 450
    assert told.log.tries == 3


async def test_what_was_told_long_ago_is_forgotten(told: Told) -> None:
    await told.emit("a")
    await told.relay.publish()
    told.clock.advance(timedelta(days=2))
    await told.emit("b")
    told.relay.stop()
    await told.relay.run()
    async with told.database.begin() as connection:
        left = await connection.exec_driver_sql("SELECT subject FROM outbox")
    assert [tuple(row) for row in left] == [("b",)]


async def test_orders_and_their_events_do_not_part_when_the_process_is_killed(tmp_path: Path, long: bool) -> None:
    placed: set[str] = set()
    for kill in range(10 if long else 1):
        placed |= await asyncio.to_thread(_place_until_killed, tmp_path, after=12 + 5 * kill)
    async with running(tmp_path, clock=SystemClock()) as shop:
        await shop.at_rest()
        happened = await shop.happened()
        orders = [each["id"] for each in (await shop.get("/orders", limit=1000))["orders"]]
        await sums.check(shop.rows, happened)

    # Everybody who was told so has an order; each order was told of, with one id, however often.
    assert placed <= set(orders)
    told = {event.id: event.subject for event in happened if event.type == "OrderPlaced"}
    assert Counter(told.values()) == Counter(orders)
    assert ask(tmp_path / "orders.db", "SELECT count(*) FROM unreadable") == [(0,)]


def _place_until_killed(directory: Path, *, after: int) -> set[str]:
    """Let a process place orders; kill it once it has said that many. Return what it said."""
    command = [sys.executable, "-m", "tests.shop.teller", str(directory)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = [process.stdout.readline().strip() for _ in range(after)]
        process.kill()
        said += [line.strip() for line in process.stdout if line.endswith("\n")]
    assert all(said), "it ended by itself"
    return set(said)
