"""The service on a real log: a letter comes in, is replayed, and learns how that ended."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from dlq import changes
from dlq.service import service
from tests.support.logs import drain, embedded_config, reading
from tests.unit.dlq import support
from tests.unit.web.support import Keys
from tocsin import envelope, hops, lifecycle, topics
from tocsin.eventlog.embedded.log import open_log
from tocsin.ledger.embedded import EmbeddedLedger
from tocsin.lifecycle import Event
from tocsin.observe.metrics import Metrics
from tocsin.record import Record
from tocsin.runtime.clock import SystemClock
from tocsin.runtime.service import Context, Part
from tocsin.settings import sections
from tocsin.settings.values import Settings
from tocsin.store import tables
from tocsin.store.engine import Store
from tocsin.web.app import create_app
from tocsin.web.auth import Authenticator

BODY = support.a_delivery()
LETTER = support.a_death(BODY)
ID = support.letter_id(LETTER)


@pytest.fixture
async def context(tmp_path: Path, store: Store) -> AsyncIterator[Context]:
    clock, metrics = SystemClock(), Metrics(version="1")
    async with store.write() as connection:
        await connection.run_sync(tables.metadata.create_all)
    async with open_log(embedded_config(tmp_path / "log"), clock=clock, metrics=metrics) as log:
        ledger = EmbeddedLedger(log, clock=clock, lease=timedelta(seconds=90))
        await ledger.open()
        channels = cast("dict[str, Any]", {"email": None, "sms": None})
        await log.ensure_topics(topics.of_channels(channels))
        async with log.publisher() as publisher:
            given = {
                "settings": Settings({"eventlog": sections.EventLog()}, {}),
                "clock": clock,
                "randbytes": os.urandom,
                "log": log,
                "publisher": publisher,
                "ledger": ledger,
                "store": store,
                "metrics": metrics,
                "channels": channels,
            }
            # The rest is for other services: this one would fail on it.
            rest: dict[str, Any] = dict.fromkeys(field.name for field in fields(Context))
            yield Context(**{**rest, **given})


@asynccontextmanager
async def working(context: Context) -> AsyncIterator[httpx.AsyncClient]:
    """Run the service and yield a client with an operator's key."""
    keys = Keys()
    part = service.build(context)
    app = create_app(
        title="Tocsin",
        version="1",
        routers=[part.router] if part.router else [],
        metrics=context.metrics,
        authenticator=Authenticator(keys, monotonic=context.clock.monotonic),
        checks=part.checks,
        monotonic=context.clock.monotonic,
    )
    headers = {"Authorization": f"Bearer {keys.add('operate')}"}
    transport = httpx.ASGITransport(app=app)
    async with (
        _looping(part),
        httpx.AsyncClient(transport=transport, base_url="http://tocsin", headers=headers) as client,
    ):
        yield client


@asynccontextmanager
async def _looping(part: Part) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        for loop in part.loops:
            group.create_task(loop.run())
        try:
            yield
        finally:
            for loop in part.loops:
                loop.stop()


async def listed(client: httpx.AsyncClient, **wanted: Any) -> dict[str, Any]:
    """Return the first letter of the list once it is as wanted."""
    async with asyncio.timeout(10):
        while True:
            found = (await client.get("/v1/dlq")).json()["items"]
            if found and all(found[0][name] == value for name, value in wanted.items()):
                return cast("dict[str, Any]", found[0])


async def test_a_letter_is_replayed_and_learns_how_that_ended(context: Context) -> None:
    dead = Record(topic=LETTER.topic, key=LETTER.key, value=LETTER.value, headers=LETTER.headers)
    async with working(context) as client, reading(context.log, "notifications.email.high") as fresh:
        await context.publisher.write([dead, dead])
        assert (await listed(client))["id"] == ID
        assert (await client.post(f"/v1/dlq/{ID}/replay")).status_code == 202
        [record] = await drain(fresh, 1)
        assert (record.key, record.value) == (LETTER.key, LETTER.value)
        assert hops.read(record.headers).life == 1
        ended = lifecycle.of_delivery(
            Event.DELIVERED,
            delivery_id=BODY.id,
            notification_id=BODY.notification_id,
            tenant="default",
            life=1,
            attempt=1,
            time=context.clock.now(),
            data={},
        )
        await context.publisher.write([envelope.audit_record(ended)])
        await listed(client, state="replayed", replay_state="delivered")
        assert (await client.get("/readyz")).json()["checks"].keys() == {"dlq.ingest", "dlq.followup"}


async def test_a_restart_finishes_what_was_cut_off(context: Context, store: Store) -> None:
    await support.keep(store, LETTER)
    item = await support.look(store, ID)
    async with store.write() as connection:
        await changes.begin_replay(connection, item, life=1, actor="key_1", now=context.clock.now())
    async with working(context) as client, reading(context.log, "notifications.email.high") as fresh:
        [record] = await drain(fresh, 1)
        assert hops.read(record.headers).life == 1
        assert (await listed(client, state="replayed"))["replay_life"] == 1
