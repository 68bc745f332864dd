"""The page's service alone on an embedded log, served by a real server, and what may happen for it to show."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from prometheus_client import CollectorRegistry

from examples.shop.kit import events, topics
from examples.shop.kit.app import create_app
from examples.shop.kit.metrics import ShopMetrics
from examples.shop.kit.opening import opened
from examples.shop.kit.settings import ShopSettings
from examples.shop.page import happening
from examples.shop.page.service import service
from tests.support import sse
from tests.support.logs import embedded_config, write
from tocsin import envelope, ids, lifecycle
from tocsin.clock import Clock
from tocsin.eventlog.embedded.log import open_log
from tocsin.eventlog.port import EventLog
from tocsin.lifecycle import AuditEvent, Event
from tocsin.observe.metrics import Metrics
from tocsin.record import Record
from tocsin.runtime import server
from tocsin.runtime.clock import SystemClock
from tocsin.topics import TopicSpec

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
ADDRESS = "ada@shop.example"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The page at work, and the log that it reads."""

    log: EventLog
    client: httpx.AsyncClient

    async def happened(self, *records: Record) -> None:
        """Write records, in the order given."""
        for record in records:
            await write(self.log, record)

    async def seen(self, count: int, **request: Any) -> list[sse.Event]:
        """Return the next events of a browser that has just come, once there are so many."""
        async with sse.listening(self.client, "/shop/events", **request) as events_:
            return [await events_.next() for _ in range(count)]

    async def told(self, count: int) -> list[dict[str, Any]]:
        """Return what the feed holds once it holds so much, the oldest first."""

        async def look() -> list[dict[str, Any]]:
            while True:
                found = await self._held()
                if len(found) >= count:
                    return found

        return await asyncio.wait_for(look(), timeout=20)

    async def _held(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        async with sse.listening(self.client, "/shop/events") as events_:
            while (event := await events_.next()).type != "live":
                found.append(event.data)
        return found


@asynccontextmanager
async def running(
    directory: Path, *, clock: Clock | None = None, simulators: str = "http://127.0.0.1:9"
) -> AsyncIterator[Page]:
    """Run the page until the block is left, then drain it."""
    settings = ShopSettings(data=directory, simulators=simulators)
    async with copies(settings, clock=clock) as [page]:
        yield page


@asynccontextmanager
async def copies(
    settings: ShopSettings, *, count: int = 1, clock: Clock | None = None
) -> AsyncIterator[Sequence[Page]]:
    """Run copies of the page until the block is left, then drain them."""
    clock = clock or SystemClock()
    topics_ = [*topics.of_services(topics.SERVICES, settings), happening.AUDIT]
    async with open_log(embedded_config(settings.data), clock=clock, metrics=Metrics(version="test")) as log:
        await log.ensure_topics([TopicSpec(name=name, kind="audit") for name in topics_])
        async with AsyncExitStack() as stack:
            yield [await stack.enter_async_context(_copy(log, settings, clock)) for _ in range(count)]


@asynccontextmanager
async def _copy(log: EventLog, settings: ShopSettings, clock: Clock) -> AsyncIterator[Page]:
    async with (
        log.publisher() as publisher,
        opened(
            service,
            settings=settings,
            log=log,
            publisher=publisher,
            clock=clock,
            randbytes=random.randbytes,
            metrics=ShopMetrics(CollectorRegistry()),
        ) as part,
        server.serving(create_app([part.router]), server.listen("127.0.0.1", 0)) as url,
        httpx.AsyncClient(base_url=url, timeout=30) as client,
    ):
        tasks = [asyncio.create_task(loop.run(), name=loop.name) for loop in part.loops]
        try:
            yield Page(log=log, client=client)
        finally:
            for loop in part.loops:
                loop.stop()
            await asyncio.gather(*tasks)


def joined(name: str, *, event_id: str | None = None) -> Record:
    """Return the event of a customer who has joined."""
    customer = {"id": f"cus-{name}", "name": name, "email": ADDRESS, "phone": None, "locale": "en"}
    event = events.Event(
        id=event_id or f"event-{name}",
        type="CustomerCreated",
        source="/shop/customers",
        subject=f"cus-{name}",
        time=NOON,
        data={"customer": customer, "version": 1},
    )
    return events.record(event, topic="shop.customers")


def names(told: list[dict[str, Any]]) -> list[str]:
    """Return who has joined, as the feed tells it."""
    return [each["data"]["customer"]["name"] for each in told if each["kind"] == "event"]


def notification(number: int, *events_: Event, metadata: dict[str, str], life: int = 0, **data: Any) -> list[Record]:
    """Return the audit's events of a notification with one mail; `data` is that of the deliveries' events."""
    identity = f"ntf_{number:026d}"
    delivery = ids.delivery_id(identity, "email", ADDRESS)
    accepted = {
        "recipient": {"id": None, "locale": None},
        "channels": ["email"],
        "template": "welcome",
        "metadata": metadata,
        "deliveries": [{"id": delivery, "channel": "email", "address": ADDRESS}],
    }
    found: list[AuditEvent] = [
        lifecycle.of_notification(Event.ACCEPTED, notification_id=identity, tenant="default", time=NOON, data=accepted)
    ]
    found += [
        lifecycle.of_delivery(
            event,
            delivery_id=delivery,
            notification_id=identity,
            tenant="default",
            life=life,
            attempt=1,
            time=NOON,
            data={"channel": "email", "provider": "smtp", **data},
        )
        for event in events_
    ]
    return [envelope.audit_record(each) for each in found]


def text_of(told: Any) -> str:
    """Return what the feed tells as the browser gets it."""
    return json.dumps(told)
