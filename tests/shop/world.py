"""A shop without a log and without loops: every step of every service is the test's, and so is every crash.

Each service has its own database. What it publishes goes to everybody, and is delivered when the test says so: early,
late, twice, or with a crash in between.
"""

import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
from prometheus_client import CollectorRegistry
from sqlalchemy import text

from examples.shop.customers.api import Api as Customers
from examples.shop.inventory.api import Api as Stock
from examples.shop.inventory.reaction import Inventory
from examples.shop.kit import events, inbox
from examples.shop.kit.app import create_app
from examples.shop.kit.database import Database, open_database
from examples.shop.kit.events import Event
from examples.shop.kit.inbox import Reaction, Result
from examples.shop.kit.metrics import ShopMetrics
from examples.shop.kit.outbox import Relay
from examples.shop.kit.settings import ShopSettings
from examples.shop.kit.unit import Units
from examples.shop.orders.api import Api as Orders
from examples.shop.orders.placing import Placing
from examples.shop.orders.replica import Replica
from examples.shop.orders.saga import Saga
from examples.shop.payments.reaction import Payments
from examples.shop.roster import SERVICES
from examples.shop.shipping.reaction import Shipping
from tests.support.clock import ManualClock
from tocsin.record import Partition, Received, Record


class Crash(Exception):
    """The end of a process."""


@dataclass(slots=True)
class Paper:
    """Fulfils `eventlog.port.Publisher`: what is written is kept; `crashes` once after that, before it has answered."""

    clock: ManualClock
    written: list[Event] = field(default_factory=list)
    crashes: bool = False

    async def write(self, records: Sequence[Record]) -> None:
        """See the port."""
        self.written += [events.read(_received(record, self.clock)) for record in records]
        if self.crashes:
            self.crashes = False
            raise Crash


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """One service, step by step."""

    database: Database
    units: Units
    relay: Relay
    reaction: Reaction | None

    async def take(self, event: Event, *, crash: bool = False) -> Result:
        """Take an event; with `crash`, end just before the commit."""
        assert self.reaction is not None
        async with self.units.begin() as unit:
            result = await inbox.take(unit, event, self.reaction)
            if crash:
                raise Crash
        return result

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return what a query finds."""
        async with self.database.begin() as connection:
            return [tuple(row) for row in await connection.execute(text(query))]

    async def value(self, query: str) -> Any:
        """Return the one value that a query finds."""
        [[found]] = await self.rows(query)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """All services. `delivered` is how many of what is on paper each has been given."""

    paper: Paper
    clock: ManualClock
    client: httpx.AsyncClient
    benches: dict[str, Bench]
    undelivered: dict[str, list[int]] = field(default_factory=dict)

    @property
    def log(self) -> list[Event]:
        """Everything that was published, repeats too."""
        return self.paper.written

    async def publish(self, name: str, *, crash: bool = False) -> None:
        """Let a service tell what it has to tell; with `crash`, end before it could note that it did."""
        before = len(self.log)
        self.paper.crashes = crash
        with suppress(Crash):
            await self.benches[name].relay.publish()
        self.paper.crashes = False
        for index in range(before, len(self.log)):
            for other, bench in self.benches.items():
                if bench.reaction is not None and self.log[index].type in bench.reaction.types:
                    self.undelivered.setdefault(other, []).append(index)

    async def deliver(self, name: str, index: int, *, crash: bool = False) -> None:
        """Give a service one of the events that it has not been given."""
        with suppress(Crash):
            await self.benches[name].take(self.log[index], crash=crash)
            self.undelivered[name].remove(index)

    async def hear(self, name: str, *types: str) -> None:
        """Let everybody publish, and give a service what it was not given yet of these types."""
        for each in self.benches:
            await self.publish(each)
        for index in [i for i in self.undelivered.get(name, []) if self.log[i].type in types]:
            await self.deliver(name, index)

    async def settle(self, arrange: Callable[[list[Any]], None] = lambda _: None) -> None:
        """Deliver everything, until nobody has anything to say. `arrange` changes the order of what is delivered."""
        while True:
            before = len(self.log)
            for name in self.benches:
                await self.publish(name)
            waiting = [(name, index) for name, indexes in self.undelivered.items() for index in indexes]
            if len(self.log) == before and not waiting:
                return
            arrange(waiting)
            for name, index in waiting:
                await self.deliver(name, index)

    async def place(self, **body: Any) -> str:
        """Place an order, and return its id."""
        answer = await self.client.post("/orders", json=body)
        assert answer.status_code == 201, answer.text
        found: str = answer.json()["id"]
        return found

    async def status(self, order_id: str) -> str:
        """Return where an order stands."""
        found: str = (await self.client.get(f"/orders/{order_id}")).json()["status"]
        return found

    def types(self, order_id: str) -> list[str]:
        """Return the types of an order's events, each event once."""
        return [event.type for event in {event.id: event for event in self.log}.values() if event.subject == order_id]


@asynccontextmanager
async def opened(*, stock: int = 1000, payments: bool = True) -> AsyncIterator[World]:
    """Open a world with nobody in it."""
    clock = ManualClock()
    paper = Paper(clock)
    settings = ShopSettings(stock=stock, payments=payments)
    metrics = ShopMetrics(CollectorRegistry())
    rolls = random.Random(0)
    async with AsyncExitStack() as stack:
        databases: dict[str, Database] = {}
        for service in SERVICES[:5]:
            database = databases[service.name] = await stack.enter_async_context(open_database("sqlite:///:memory:"))
            await database.make(service.tables, service=service.name)
            await service.seed(database, settings)
        units = {name: Units(database, clock=clock, randbytes=rolls.randbytes) for name, database in databases.items()}
        replica = Replica(databases["orders"], clock)
        saga = Saga(replica, metrics)
        reactions: dict[str, Reaction] = {
            "orders": saga,
            "payments": Payments(),
            "inventory": Inventory(),
            "shipping": Shipping(settings.packing * 0, lambda: None),
        }
        placing = Placing(units["orders"], replica, metrics, with_payment=payments)
        routers = [
            Customers(units["customers"]).router,
            Orders(units["orders"], placing, saga).router,
            Stock(units["inventory"]).router,
        ]
        transport = httpx.ASGITransport(app=create_app(routers))
        yield World(
            paper=paper,
            clock=clock,
            client=await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://shop")),
            benches={
                name: Bench(
                    database=database,
                    units=units[name],
                    reaction=reactions.get(name),
                    relay=Relay(
                        service=name, topic=name, database=database, publisher=paper, clock=clock, metrics=metrics
                    ),
                )
                for name, database in databases.items()
            },
        )


def _received(record: Record, clock: ManualClock) -> Received:
    return Received(
        place=Partition(record.topic, 0),
        offset=0,
        key=record.key,
        value=record.value,
        headers=record.headers,
        timestamp=clock.now(),
    )
