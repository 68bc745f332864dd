"""Work for a log whose power will be cut: clients that submit, a worker that reads, claims, settles and commits."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import TypeVar

from tests.chaos.power_promises import Promises
from tests.support.clock import ManualClock
from tests.support.logs import SOON, ignore, reading
from tocsin.errors import LogFull, LogUnavailable
from tocsin.eventlog.embedded.log import EmbeddedConfig, EmbeddedLog, open_log
from tocsin.eventlog.embedded.retention import Retention
from tocsin.ledger.embedded import EmbeddedLedger
from tocsin.ledger.port import Accepted, AttemptKey, Granted, Settlement, Submission, SubmitClaim
from tocsin.lifecycle import State
from tocsin.observe.metrics import Metrics
from tocsin.record import Partition, Received, Record
from tocsin.topics import TopicSpec

WORK, AUDIT, SHORT_LIVED = "work", "audit", "short-lived"
CLIENTS = 8
SPECS = (
    TopicSpec(name=WORK, kind="delivery"),
    TopicSpec(name=AUDIT, kind="audit"),
    TopicSpec(name=SHORT_LIVED, kind="retry"),
)

T = TypeVar("T")


@asynccontextmanager
async def opened(directory: Path, clock: ManualClock) -> AsyncIterator[tuple[EmbeddedLog, EmbeddedLedger]]:
    """Open a log and its ledger as the gateway does. What is short-lived may be deleted as soon as it was read."""
    # Centuries: a refused submit is tried again at once with the clock moved on, so a full disk takes days of it, and
    # what retention deletes by age would look lost.
    ages = {"delivery": timedelta(days=100_000), "audit": timedelta(days=100_000), "retry": timedelta()}
    retention = Retention(ages=ages, max_bytes=1 << 30)
    config = EmbeddedConfig(directory=directory, partitions=2, retention=retention, queue_limit=10_000)
    async with open_log(config, clock=clock, metrics=Metrics(version="test")) as log:
        await log.ensure_topics(SPECS)
        ledger = EmbeddedLedger(log, clock=clock, lease=timedelta(seconds=90))
        await ledger.open()
        yield log, ledger


class Load:
    """Takes note of what it was promised. What fails it tries again, as clients and workers do."""

    def __init__(self, log: EmbeddedLog, ledger: EmbeddedLedger, clock: ManualClock, promised: Promises) -> None:
        self._log = log
        self._ledger = ledger
        self._clock = clock
        self._promised = promised

    async def run(self, *, batches: int, random: Random) -> None:
        """Submit so many batches, and work until all that they hold has ended."""
        batch = [[random.randint(1, 3) for _ in range(random.randint(1, 3))] for _ in range(batches)]
        left = iter(enumerate(batch))
        async with asyncio.TaskGroup() as group:
            for _ in range(CLIENTS):
                group.create_task(self._client(left))
            group.create_task(self._worker(sum(map(sum, batch))))
            group.create_task(self._sweeper(batches // 20))

    async def _client(self, batches: Iterator[tuple[int, Sequence[int]]]) -> None:
        for number, sizes in batches:
            submissions = [self._submission(f"{number}.{item}", size) for item, size in enumerate(sizes)]
            self._promised.begun.extend(submissions)
            answers = await self._persistent(lambda given=submissions: self._ledger.submit(given))  # type: ignore[misc]
            assert answers == [Accepted()] * len(submissions)
            self._promised.accepted.extend(submissions)

    def _submission(self, key: str, size: int) -> Submission:
        records = tuple(_record(WORK, f"{key}/{index}") for index in range(size))
        claim = SubmitClaim(
            tenant="default", key=key, fingerprint=key.encode(), expires_at=self._clock.now() + timedelta(days=1)
        )
        return Submission(records=records, answer=b"answer to " + key.encode(), claim=claim)

    async def _worker(self, expected: int) -> None:
        partitions = [Partition(WORK, 0), Partition(WORK, 1)]
        async with self._log.subscribe([WORK], group="workers", on_assigned=ignore, on_revoked=ignore) as subscription:
            while expected:
                received = await subscription.fetch(limit=50, wait=SOON)
                assert received, "the log holds something back"
                self._promised.seen.extend(received)
                await asyncio.gather(*(self._deliver(each) for each in received))
                ends = {p: each.offset + 1 for p in partitions for each in received if each.partition == p.number}
                await self._persistent(lambda given=ends: subscription.commit(given))  # type: ignore[misc]
                self._promised.committed.extend(("workers", *end) for end in ends.items())
                expected -= len(received)

    async def _deliver(self, received: Received) -> None:
        name = received.value[:40].decode().strip()
        key = AttemptKey(name, 0, 1)
        granted = await self._persistent(lambda: self._ledger.claim(key, received.source, durable=True))
        assert isinstance(granted, Granted)
        self._promised.claimed.append(key)
        settlement = Settlement(
            source=received.source,
            key=key,
            life=(name, 0),
            terminal=State.DELIVERED,
            records=(_record(AUDIT, f"{name} attempted"), _record(AUDIT, f"{name} delivered")),
        )
        assert await self._persistent(lambda: self._ledger.settle(settlement))
        self._promised.closed.append(settlement)

    async def _sweeper(self, rounds: int) -> None:
        """Write, read, and have deleted what was read: the offsets go on from what is no more."""
        async with self._log.publisher() as publisher, reading(self._log, SHORT_LIVED, group="swept") as subscription:
            for number in range(rounds):
                records = [_record(SHORT_LIVED, f"short-lived {number}.{index}") for index in range(4)]
                await self._persistent(lambda given=records: publisher.write(given))  # type: ignore[misc]
                received = await subscription.fetch(limit=100, wait=SOON)
                self._promised.seen.extend(received)
                ends = {Partition(SHORT_LIVED, each.partition): each.offset + 1 for each in received}
                await self._persistent(lambda given=ends: subscription.commit(given))  # type: ignore[misc]
                self._promised.committed.extend(("swept", *end) for end in ends.items())
                self._clock.advance(timedelta(milliseconds=10))
                await self._persistent(lambda: self._log.run(self._log._config.retention.sweep))

    async def _persistent(self, call: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                return await call()
            except (LogFull, LogUnavailable):
                self._clock.advance(timedelta(seconds=1))  # lets the log find out by itself that it can write again
                await asyncio.sleep(0)


def _record(topic: str, name: str) -> Record:
    """Return a record whose value begins with its name, padded, and is large enough to spread over pages."""
    return Record(
        topic=topic, key=name.encode(), value=name.ljust(40).encode() + b"\xff" * 300, headers=(("h", name.encode()),)
    )
