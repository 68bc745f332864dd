"""Embedded logs for tests, and the shortest ways to write to one and read from one."""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from tocsin.eventlog.embedded.log import EmbeddedConfig
from tocsin.eventlog.embedded.retention import Retention
from tocsin.eventlog.port import EventLog, Subscription
from tocsin.record import Partition, Received, Record

# Long enough for a machine that has other work; what is there comes at once.
SOON = timedelta(seconds=30)
NOW = timedelta()


def embedded_config(
    directory: Path, *, partitions: int = 8, max_bytes: int = 1 << 30, age: timedelta = timedelta(days=7)
) -> EmbeddedConfig:
    """Return the configuration of a log in a directory."""
    ages = dict.fromkeys(("delivery", "retry", "dlq", "event", "audit"), age)
    return EmbeddedConfig(
        directory=directory,
        partitions=partitions,
        retention=Retention(ages=ages, max_bytes=max_bytes),
        queue_limit=20_000,
    )


async def write(log: EventLog, *records: Record) -> None:
    """Write records durably."""
    async with log.publisher() as publisher:
        await publisher.write(records)


async def ignore(partitions: Collection[Partition]) -> None:
    """An assignment callback that does nothing."""


@asynccontextmanager
async def reading(log: EventLog, topic: str, *, group: str = "readers") -> AsyncIterator[Subscription]:
    """Subscribe to one topic."""
    async with log.subscribe([topic], group=group, on_assigned=ignore, on_revoked=ignore) as subscription:
        yield subscription


async def drain(subscription: Subscription, count: int) -> list[Received]:
    """Return the next `count` records, waiting for each fetch; fewer only if none come for a while."""
    found: list[Received] = []
    while len(found) < count:
        records = await subscription.fetch(limit=count - len(found), wait=SOON)
        if not records:
            break
        found.extend(records)
    return found


def values(records: Sequence[Received]) -> set[bytes]:
    """Return the values of records."""
    return {record.value for record in records}
