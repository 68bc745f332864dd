"""A shop in the test's process: real services on a real log and real databases, asked over HTTP."""

import asyncio
import random
import sqlite3
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from prometheus_client import CollectorRegistry

from examples.shop.kit import events, topics
from examples.shop.kit.app import create_app
from examples.shop.kit.events import Event
from examples.shop.kit.metrics import ShopMetrics
from examples.shop.kit.opening import opened
from examples.shop.kit.service import Loop, ShopPart
from examples.shop.kit.settings import ShopSettings
from examples.shop.roster import SERVICES
from tests.support.clock import ManualClock
from tests.support.logs import NOW, embedded_config, reading
from tests.support.postgres import connected
from tocsin.clock import Clock
from tocsin.eventlog.embedded.log import open_log
from tocsin.eventlog.port import EventLog
from tocsin.observe.metrics import Metrics
from tocsin.topics import TopicSpec

ADA = {"name": "Ada Lovelace", "email": "ada@shop.example", "phone": "+4915112345678", "locale": "de"}
FIVE = [service for service in SERVICES if service.name in topics.SERVICES]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """A shop at work. `clients` has one for each copy of the services; `client` is the first's."""

    settings: ShopSettings
    log: EventLog
    clients: Sequence[httpx.AsyncClient]

    @property
    def client(self) -> httpx.AsyncClient:
        """The client of the first copy."""
        return self.clients[0]

    async def customer(self, **changes: Any) -> str:
        """Create a customer, and return the id."""
        answer = await self.client.post("/customers", json={**ADA, **changes})
        assert answer.status_code == 201, answer.text
        found: str = answer.json()["id"]
        return found

    async def place(self, customer: str, **quantities: int) -> str:
        """Place an order, and return its id."""
        items = [{"product": product, "quantity": quantity} for product, quantity in quantities.items()]
        answer = await self.client.post("/orders", json={"customer_id": customer, "items": items})
        assert answer.status_code == 201, answer.text
        found: str = answer.json()["id"]
        return found

    async def get(self, path: str, **params: str | int) -> Any:
        """Return what a path answers."""
        answer = await self.client.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def order(self, order_id: str) -> Any:
        """Return an order."""
        return await self.get(f"/orders/{order_id}")

    async def happened(self, subject: str | None = None) -> list[Event]:
        """Return every event of a subject, or of all, by time and topic."""
        found: list[Event] = []
        for topic in topics.of_services(topics.SERVICES, self.settings):
            async with reading(self.log, topic, group=f"look-{random.random()}") as subscription:
                while records := await subscription.fetch(limit=1000, wait=NOW):
                    found += [events.read(record) for record in records]
        return sorted((each for each in found if subject in {None, each.subject}), key=lambda each: each.time)

    async def types(self, subject: str) -> set[str]:
        """Return the types of the events of a subject."""
        return {event.type for event in await self.happened(subject)}

    async def rows(self, service: str, query: str) -> list[tuple[Any, ...]]:
        """Return what a query finds in a service's database."""
        url = self.settings.database_url(service)
        if url.startswith("sqlite:///"):
            return ask(url.removeprefix("sqlite:///"), query)
        async with connected(url) as connection:
            return [tuple(row) for row in await connection.exec_driver_sql(query)]

    async def at_rest(self) -> None:
        """Return once nothing is under way: all is told, and all is heard."""

        async def look() -> None:
            before = -1
            while True:
                told = await self._told()
                if told == before >= 0 and await self._read_up() and await self._told() == told:
                    return
                before = told
                await asyncio.sleep(0.01)

        await asyncio.wait_for(look(), timeout=30)

    async def _told(self) -> int:
        """Return how many events there are, unless some are not told yet."""
        query = "SELECT count(*), count(published_at_ms) FROM outbox"
        counts = [(await self.rows(service.name, query))[0] for service in FIVE]
        return sum(made for made, _ in counts) if all(made == told for made, told in counts) else -1

    async def _read_up(self) -> bool:
        """Return whether every service is at the end of what it hears. One that has not begun has no lag at all."""
        lags = [await self.log.group_lag(topics.group(each.name)) for each in FIVE if each.reads]
        return all(lag and not any(lag.values()) for lag in lags)


def ask(path: str | Path, query: str) -> list[tuple[Any, ...]]:
    """Return what a query finds in a SQLite file."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        found = connection.execute(query).fetchall()
    connection.close()
    return found


@asynccontextmanager
async def logged(directory: Path, clock: Clock, settings: ShopSettings) -> AsyncIterator[EventLog]:
    """Open an embedded log with the shop's topics."""
    async with open_log(embedded_config(directory), clock=clock, metrics=Metrics(version="test")) as log:
        names = topics.of_services(topics.SERVICES, settings)
        await log.ensure_topics([TopicSpec(name=name, kind="audit") for name in names])
        yield log


@asynccontextmanager
async def running(
    directory: Path,
    *,
    clock: Clock | None = None,
    copies: int = 1,
    only: Collection[str] = topics.SERVICES,
    **more: Any,
) -> AsyncIterator[Shop]:
    """Run a shop until the block is left, then drain it. `more` are settings; parcels are packed in no time.

    `only` are the services that are at work; the others are there and do nothing.
    """
    clock = clock or ManualClock()
    settings = ShopSettings(**{"data": directory, "packing": _NO_TIME, **more})
    async with AsyncExitStack() as stack:
        log = await stack.enter_async_context(logged(directory, clock, settings))
        clients = [await stack.enter_async_context(_copy(log, clock, settings, only)) for _ in range(copies)]
        yield Shop(settings=settings, log=log, clients=clients)


_NO_TIME = ShopSettings().packing * 0


@asynccontextmanager
async def _copy(
    log: EventLog, clock: Clock, settings: ShopSettings, only: Collection[str]
) -> AsyncIterator[httpx.AsyncClient]:
    metrics = ShopMetrics(CollectorRegistry())
    async with AsyncExitStack() as stack:
        publisher = await stack.enter_async_context(log.publisher())
        parts: list[ShopPart] = [
            await stack.enter_async_context(
                opened(
                    service,
                    settings=settings,
                    log=log,
                    publisher=publisher,
                    clock=clock,
                    randbytes=random.randbytes,
                    metrics=metrics,
                )
            )
            for service in FIVE
        ]
        working = [part for service, part in zip(FIVE, parts, strict=True) if service.name in only]
        await stack.enter_async_context(_at_work([loop for part in working for loop in part.loops]))
        transport = httpx.ASGITransport(app=create_app([part.router for part in parts]))
        yield await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://shop"))


@asynccontextmanager
async def _at_work(loops: Sequence[Loop]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(loop.run(), name=loop.name) for loop in loops]
    try:
        yield
    finally:
        for loop in loops:
            loop.stop()
        await asyncio.gather(*tasks)
