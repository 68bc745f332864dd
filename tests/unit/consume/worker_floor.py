"""A real log with a ledger for workers in tests, and a handler that does as it is told."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.support.clock import ManualClock
from tests.support.logs import NOW, reading, write
from tests.support.waiting import until
from tocsin.consume.permits import Permits, Stream
from tocsin.consume.worker import Budget, Worker, WorkerConfig
from tocsin.delivery import Lane
from tocsin.errors import LogUnavailable
from tocsin.eventlog.embedded.log import EmbeddedLog
from tocsin.eventlog.murmur2 import partition_for
from tocsin.ledger.embedded import EmbeddedLedger
from tocsin.ledger.port import Settlement
from tocsin.lifecycle import State
from tocsin.record import Partition, Received, Record
from tocsin.topics import TopicSpec

IN, OUT, DEAD = "work.in", "work.out", "work.dead"
GROUP = "workers"
SPECS = [TopicSpec(name=name, kind="delivery") for name in (IN, OUT, DEAD)]
PARTITIONS = 2
KEYS = [next(b"k%d" % n for n in range(100) if partition_for(b"k%d" % n, PARTITIONS) == p) for p in range(PARTITIONS)]
Script = Callable[[Received], Awaitable[Settlement | None]]


def ticks(clock: ManualClock) -> bool:
    """Let a second pass; always false, for conditions that only time may bring about."""
    clock.advance(timedelta(seconds=1))
    return False


def settlement(received: Received, *, topic: str = OUT, terminal: bool = False) -> Settlement:
    """Return one that copies the value to a topic."""
    record = Record(topic=topic, key=received.key, value=received.value)
    life = ("life-" + received.value.decode(), 0)
    return Settlement(
        source=received.source,
        records=(record,),
        life=life if terminal else None,
        terminal=State.DELIVERED if terminal else None,
    )


@dataclass
class Handler:
    """Copies what it gets, unless there is a script for it; takes note of everything."""

    scripts: dict[bytes, Script] = field(default_factory=dict)
    due_at: dict[bytes, datetime] = field(default_factory=dict)
    handled: list[bytes] = field(default_factory=list)
    settled_: list[tuple[bytes, bool]] = field(default_factory=list)

    def due(self, received: Received) -> datetime | None:
        return self.due_at.get(received.value)

    async def handle(self, received: Received) -> Settlement | None:
        self.handled.append(received.value)
        script = self.scripts.get(received.value) or self.scripts.get(b"*")
        return await script(received) if script else settlement(received)

    def on_bug(self, received: Received, error: BaseException) -> Settlement:
        assert not isinstance(error, LogUnavailable)
        return settlement(received, topic=DEAD)

    def settled(self, received: Received, settlement: Settlement, *, effective: bool) -> None:
        del settlement
        self.settled_.append((received.value, effective))


class UnsteadyLedger(EmbeddedLedger):
    """Fails to settle as often as it is told."""

    failures = 0

    async def settle(self, settlement: Settlement) -> bool:
        if self.failures:
            self.failures -= 1
            raise LogUnavailable("the disk is full")
        return await super().settle(settlement)


class Held:
    """A script that waits until it is let go."""

    def __init__(self) -> None:
        self.entered = 0
        self.most = 0
        self.inside = 0
        self.go = asyncio.Event()

    async def __call__(self, received: Received) -> Settlement | None:
        self.entered += 1
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            await self.go.wait()
        finally:
            self.inside -= 1
        return settlement(received)


@dataclass(kw_only=True)
class Floor:
    """A log with a ledger, and workers on it."""

    log: EmbeddedLog
    ledger: UnsteadyLedger
    clock: ManualClock
    handler: Handler = field(default_factory=Handler)
    budget: Budget = field(default_factory=lambda: Budget(1 << 26))
    permits: Permits = field(default_factory=lambda: Permits(256))
    released: list[timedelta] = field(default_factory=list)
    closed: bool = False

    @asynccontextmanager
    async def worker(self, *, window: int = 1000, drain: float = 5.0) -> AsyncIterator[Worker]:
        """Run one; it is stopped and drained at the end."""
        worker = Worker(
            log=self.log,
            ledger=self.ledger,
            topics=[IN],
            group=GROUP,
            stream=Stream(lane=Lane.NORMAL, retrying=False),
            handler=self.handler,
            permits=self.permits,
            budget=self.budget,
            clock=self.clock,
            config=WorkerConfig(
                unfinished_records=window,
                unfinished_bytes=1 << 24,
                drain=timedelta(seconds=drain),
                commit_interval=timedelta(seconds=1),
                commit_every=1,
            ),
            on_released=self.released.append,
            may_take=lambda: not self.closed,
        )
        task = asyncio.create_task(worker.run())
        try:
            yield worker
        finally:
            worker.stop()
            await task

    async def write(self, *numbers: int, partition: int = 0) -> None:
        await write(self.log, *(Record(topic=IN, key=KEYS[partition], value=b"%d" % n) for n in numbers))

    def committed(self, partition: int = 0) -> int:
        return self.log.committed(GROUP, Partition(IN, partition))

    async def commits_to(self, offset: int, *, partition: int = 0) -> None:
        await until(lambda: self.committed(partition) >= offset, what=f"the commit of {offset}", seconds=8)

        assert self.committed(partition) == offset

    async def values(self, topic: str) -> list[bytes]:
        """Return all the values of a topic, sorted."""
        async with reading(self.log, topic, group="look") as subscription:
            await subscription.seek(dict.fromkeys(subscription.assigned, 0))
            found: list[bytes] = []
            while records := await subscription.fetch(limit=1000, wait=NOW):
                found.extend(record.value for record in records)
        return sorted(found)


def numbers(*found: int) -> list[bytes]:
    return sorted(b"%d" % n for n in found)
