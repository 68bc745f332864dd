"""A data directory as a gateway leaves it, small enough to count everything in it."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import apsw

from tests.support.clock import ManualClock
from tests.support.logs import NOW, embedded_config, reading, write
from tocsin import topics
from tocsin.eventlog.embedded.log import EmbeddedLog, open_log
from tocsin.observe.metrics import Metrics
from tocsin.record import Partition, Record
from tocsin.store import migrate, offsets
from tocsin.store.engine import Store, open_store
from tocsin.topics import TopicSpec

T = TypeVar("T")

SINK, WORKER = "tocsin.audit.ingest", "tocsin.channels.email.normal"
DELIVERIES = "notifications.email"
AUDIT = Partition(topics.AUDIT, 0)
_SPECS = [TopicSpec(name=topics.AUDIT, kind="audit"), TopicSpec(name=DELIVERIES, kind="delivery")]


def filled(directory: Path, *, ingested: int) -> None:
    """Make a data directory: 10 audit events, of which the audit has some, and 3 deliveries, of which 2 are done."""

    async def fill(log: EmbeddedLog, store: Store) -> None:
        await tell(log, 10)
        await write(log, *(Record(topic=DELIVERIES, key=b"k", value=b"%d" % n) for n in range(3)))
        await commit(log, WORKER, Partition(DELIVERIES, 0), 2)
        await ingest(log, store, ingested)

    used(directory, fill)


def used(directory: Path, use: Callable[[EmbeddedLog, Store], Awaitable[T]]) -> T:
    """Open a data directory as a gateway does, with one partition a topic, and use it."""

    async def run() -> T:
        config, metrics = embedded_config(directory, partitions=1), Metrics(version="test")
        async with open_log(config, clock=ManualClock(), metrics=metrics) as log:
            await log.ensure_topics(_SPECS)
            async with open_store(f"sqlite:///{directory / 'store.db'}") as store:
                await migrate.upgrade(store)
                return await use(log, store)

    return asyncio.run(run())


async def tell(log: EmbeddedLog, count: int) -> None:
    """Write audit events."""
    await write(log, *(Record(topic=topics.AUDIT, key=b"k", value=b"%d" % n) for n in range(count)))


async def commit(log: EmbeddedLog, group: str, partition: Partition, offset: int) -> None:
    """Commit."""
    async with reading(log, partition.topic, group=group) as subscription:
        await subscription.commit({partition: offset})


async def ingest(log: EmbeddedLog, store: Store, up_to: int) -> None:
    """Let the audit read up to an offset, as its sink does: first the store's own note, then the log's."""
    if up_to:
        async with store.write() as connection:
            await offsets.advance(connection, SINK, {AUDIT: up_to})
    await commit(log, SINK, AUDIT, up_to)


async def forget(log: EmbeddedLog, up_to: int) -> None:
    """Delete audit events below an offset, as retention does."""
    ids = log._writer.layout.ids

    def delete(transaction: Any) -> None:
        first = ids[AUDIT] << 40
        transaction.connection.execute("DELETE FROM records WHERE id >= ? AND id < ?", (first, first + up_to))
        transaction.connection.execute("UPDATE partitions SET start_offset = ? WHERE id = ?", (up_to, ids[AUDIT]))

    await log.run(delete)


def committed(directory: Path) -> dict[str, int]:
    """Return what each group has committed, by a log's file."""
    log = apsw.Connection(str(directory / "log.db"), flags=apsw.SQLITE_OPEN_READONLY)
    rows: list[Any] = log.execute("SELECT consumer_group, next_offset FROM commits").fetchall()
    log.close()
    return dict(rows)


def count(directory: Path, topic: str) -> int:
    """Return how many records there are in a topic."""

    async def read(log: EmbeddedLog, _: Store) -> int:
        async with reading(log, topic, group="look") as subscription:
            return len(await subscription.fetch(limit=100, wait=NOW))

    return used(directory, read)
