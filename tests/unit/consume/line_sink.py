"""A sink of lines on a scripted log, and a store that may be away: the loop of a sink at work."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Integer, LargeBinary, MetaData, Table, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.unit.consume.scripted_log import TOPIC, HurryingClock, ScriptedLog
from tocsin.consume.ingest import Ingest
from tocsin.errors import StoreUnavailable
from tocsin.observe.metrics import Metrics
from tocsin.record import Partition, Received
from tocsin.store import tables
from tocsin.store.engine import Store, open_store

GROUP = "tocsin.lines"
FIRST, SECOND = Partition(TOPIC, 0), Partition(TOPIC, 1)
metadata = MetaData()
lines = Table("lines", metadata, Column("id", Integer, primary_key=True), Column("value", LargeBinary))


class Crash(BaseException):
    """The process is gone."""


class LineSink:
    """A sink that is not idempotent, so that every repeat shows. It cannot write `bad`."""

    name = "lines"

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.before: Callable[[], None] = lambda: None

    def wants(self, received: Received) -> bool:
        return received.value != b"unwanted"

    async def write(self, connection: AsyncConnection, batch: Sequence[Received]) -> None:
        self.before()
        self.sizes.append(len(batch))
        await connection.execute(insert(lines), [{"value": record.value} for record in batch])
        if any(record.value.startswith(b"bad") for record in batch):
            raise ValueError("cannot take secret@example.test")


class FailingStore:
    """A store of which some writes, or reads, fail first."""

    def __init__(self, store: Store, *, writes: int = 0, reads: int = 0) -> None:
        self._store = store
        self._writes = writes
        self._reads = reads

    def write(self) -> AbstractAsyncContextManager[AsyncConnection]:
        self._writes -= 1
        return self._store.write() if self._writes < 0 else _Away()

    def read(self) -> AbstractAsyncContextManager[AsyncConnection]:
        self._reads -= 1
        return self._store.read() if self._reads < 0 else _Away()


class _Away:
    async def __aenter__(self) -> AsyncConnection:
        raise StoreUnavailable("disk full")

    async def __aexit__(self, *_: object) -> None:
        raise NotImplementedError


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(f"sqlite:///{tmp_path / 'store.db'}") as opened:
        async with opened.write() as connection:
            await connection.run_sync(tables.metadata.create_all)
            await connection.run_sync(metadata.create_all)
        yield opened


@pytest.fixture
def log() -> ScriptedLog:
    return ScriptedLog()


@pytest.fixture
def sink() -> LineSink:
    return LineSink()


@pytest.fixture
def clock() -> HurryingClock:
    return HurryingClock()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(version="test")


@pytest.fixture
def make(
    log: ScriptedLog, store: Store, sink: LineSink, clock: HurryingClock, metrics: Metrics
) -> Callable[..., Ingest]:
    """Make a loop that stops by itself once everything is read."""

    def made(**changes: Any) -> Ingest:
        given = {"store": store, "sink": sink, "limit": 100, **changes}
        ingest = Ingest(name="lines", topics=[TOPIC], group=GROUP, log=log, metrics=metrics, clock=clock, **given)
        log.on_idle = ingest.stop
        return ingest

    return made


async def written(store: Store) -> list[bytes]:
    async with store.read() as connection:
        return list(await connection.scalars(select(lines.c.value).order_by(lines.c.id)))


async def kept(store: Store) -> dict[int, int]:
    columns = tables.consumer_offsets.c
    async with store.read() as connection:
        found = await connection.execute(select(columns.partition_index, columns.next_offset))
        return {row.partition_index: row.next_offset for row in found}
