"""Embedded logs in a directory of the test's own, and what may befall them."""

import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.clock import ManualClock
from tests.support.logs import NOW, embedded_config, reading
from tests.support.waiting import until
from tocsin.eventlog.embedded.log import EmbeddedLog, open_log
from tocsin.eventlog.embedded.transaction import Transaction
from tocsin.eventlog.embedded.writer import Committed
from tocsin.observe.metrics import Metrics
from tocsin.record import Record
from tocsin.topics import TopicSpec

TOPIC, OTHER = "log.test", "log.other"
SPECS = [TopicSpec(name=TOPIC, kind="delivery")]


@dataclass
class Place:
    """A directory in which a log is opened, perhaps again and again."""

    directory: Path
    clock: ManualClock = field(default_factory=ManualClock)
    commits: list[int] = field(default_factory=list)

    @asynccontextmanager
    async def log(self, *, max_bytes: int = 1 << 30, partitions: int = 1) -> AsyncIterator[EmbeddedLog]:
        """Open it; commits are counted."""
        config = embedded_config(self.directory, partitions=partitions, max_bytes=max_bytes)
        async with open_log(config, clock=self.clock, metrics=Metrics(version="test")) as log:
            on_commit = log._writer._on_commit

            def counted(committed: Committed) -> None:
                self.commits.append(committed.count)
                on_commit(committed)

            log._writer._on_commit = counted
            yield log


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """An empty directory."""
    return Place(tmp_path)


def record(value: bytes = b"x", *, topic: str = TOPIC, key: bytes = b"k") -> Record:
    return Record(topic=topic, key=key, value=value)


def ticks(clock: ManualClock) -> bool:
    """Let a second pass; always false, for conditions that only time may bring about."""
    clock.advance(timedelta(seconds=1))
    return False


async def everything(log: EmbeddedLog, topic: str = TOPIC) -> list[tuple[int, bytes]]:
    """Return the offsets and values of a topic of one partition."""
    found: list[tuple[int, bytes]] = []
    async with reading(log, topic, group=f"look-{os.urandom(4).hex()}") as subscription:
        while records := await subscription.fetch(limit=1000, wait=NOW):
            found.extend((each.offset, each.value) for each in records)
    return found


@asynccontextmanager
async def writer_held(log: EmbeddedLog) -> AsyncIterator[None]:
    """Keep the writer busy, so that what is written meanwhile gathers."""
    go, entered = threading.Event(), threading.Event()

    def hold(_transaction: Transaction) -> None:
        entered.set()
        assert go.wait(20)

    held = log.run(hold, apart=True)
    await until(entered.is_set, what="the writer to be held")
    try:
        yield
    finally:
        go.set()
        await held


async def full(log: EmbeddedLog) -> None:
    """Let the disk be full: the file may not grow beyond what it has."""

    def limit(transaction: Transaction) -> None:
        transaction.connection.execute(f"PRAGMA max_page_count = {transaction.connection.pragma('page_count')}")

    await log.run(limit)


async def freed(log: EmbeddedLog) -> None:
    """Let there be room again."""

    def limit(transaction: Transaction) -> None:
        transaction.connection.execute("PRAGMA max_page_count = 1073741823")

    await log.run(limit)
