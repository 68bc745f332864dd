"""The way in over a log: the producer's loop on a real embedded log and ledger, with a clock that moves when told."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from producer import cloudevents
from producer.check import Checker
from producer.request import RequestReader
from producer.requests import Intake, Requests
from producer.submit import SubmitConfig, Submitter
from producer.tallies import RequestTally
from tests.support.clock import ManualClock
from tests.support.logs import NOW, embedded_config, reading
from tests.support.waiting import until
from tocsin import envelope, topics
from tocsin.eventlog.embedded.log import EmbeddedLog, open_log
from tocsin.ledger.embedded import EmbeddedLedger
from tocsin.ledger.port import Submission, SubmitAnswer
from tocsin.lifecycle import AuditEvent
from tocsin.observe.metrics import Metrics
from tocsin.record import Headers, Partition, Received, Record
from tocsin.validation import Schema

CHANNELS = ("email",)
MAX_BYTES = 1024 * 1024
DOCUMENT: dict[str, Any] = {
    "recipient": {"id": "cust-42", "email": "ada@example.test", "locale": "de"},
    "channels": ["email"],
    "content": {"email": {"subject": "s", "text": "t"}},
}
STRUCTURED: Headers = (("content-type", b"application/cloudevents+json; charset=UTF-8"),)


def attributes(**changes: str | None) -> dict[str, str]:
    """Return the attributes of an event that asks for a notification, with others or without."""
    given = {"specversion": "1.0", "id": "1001", "source": "/shop", "type": cloudevents.TYPE, **changes}
    return {name: value for name, value in given.items() if value is not None}


def bare(document: Any = DOCUMENT, *, headers: Headers = (), key: bytes | None = None) -> Record:
    """Return a request that is a notification and no more. Bytes are taken as they are."""
    value = document if isinstance(document, bytes) else msgspec.json.encode(document)
    return Record(topic=topics.REQUESTS, key=key, value=value, headers=headers)


def binary(document: Any = DOCUMENT, **changes: str | None) -> Record:
    """Return a request in CloudEvents' binary mode."""
    headers = tuple((f"ce_{name}", value.encode()) for name, value in attributes(**changes).items())
    return bare(document, headers=(*headers, ("content-type", b"application/json")))


def structured(document: Any = DOCUMENT, **changes: str | None) -> Record:
    """Return a request in CloudEvents' structured mode."""
    return bare({**attributes(**changes), "data": document}, headers=STRUCTURED)


class FaultyLedger:
    """A ledger whose submits fail as often as it is told, before or after they are durable."""

    def __init__(self, ledger: EmbeddedLedger) -> None:
        self._ledger = ledger
        self.failing: list[Exception] = []
        self.torn = False
        self.answers: list[Sequence[SubmitAnswer]] = []

    async def submit(self, submissions: Sequence[Submission]) -> Sequence[SubmitAnswer]:
        """See `ledger.port.Ledger`."""
        if self.failing and not self.torn:
            raise self.failing.pop()
        answers = self.answers.pop() if self.answers else await self._ledger.submit(submissions)
        if self.failing:
            raise self.failing.pop()
        return answers

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)


@dataclass(slots=True, kw_only=True)
class Requesting:
    """A log with a loop that takes requests, once it is started."""

    clock: ManualClock
    log: EmbeddedLog
    ledger: FaultyLedger
    metrics: Metrics
    submitter: Submitter
    max_record_bytes: int
    loop: Requests
    tasks: list[tuple[Requests, asyncio.Task[None]]] = field(default_factory=list)
    written: int = 0

    async def write(self, *records: Record) -> None:
        """Write records, such as requests."""
        async with self.log.publisher() as publisher:
            await publisher.write(records)
        self.written += len(records)

    def start(self, loop: Requests | None = None) -> None:
        """Run a loop: the one that is there, unless another is given."""
        running = loop or self.loop
        self.tasks.append((running, asyncio.create_task(running.run())))

    async def stop(self) -> None:
        """Drain the loops."""
        for loop, _ in self.tasks:
            loop.stop()
        await asyncio.gather(*(task for _, task in self.tasks))
        self.tasks.clear()

    @property
    def done(self) -> int:
        """How many requests are committed."""
        group, log = topics.intake_group(), self.log
        return sum(log.committed(group, Partition(topics.REQUESTS, number)) for number in range(8))

    async def take(self, *records: Record) -> None:
        """Write requests, and return once all there are have been taken or refused, and committed."""
        await self.write(*records)
        if not self.tasks:
            self.start()
        await until(lambda: self.done == self.written, what="the requests to be committed")

    async def again(self) -> "Requests":
        """Return a loop such as a restart would make: it knows nothing of what the other did."""
        async with self.log.publisher() as publisher:
            return Requests(
                intake(self.log, self.metrics),
                log=self.log,
                publisher=publisher,
                submitter=self.submitter,
                clock=self.clock,
                max_record_bytes=self.max_record_bytes,
            )

    async def events(self) -> list[AuditEvent]:
        """Return all audit events so far."""
        return [envelope.audit_event(record.value) for record in await self.read(topics.AUDIT)]

    async def read(self, topic: str) -> list[Received]:
        """Return everything in a topic."""
        found: list[Received] = []
        async with reading(self.log, topic, group=f"look-{os.urandom(4).hex()}") as subscription:
            while records := await subscription.fetch(limit=1000, wait=NOW):
                found.extend(records)
        return found

    def count(self, outcome: str) -> float:
        """Return how many requests had an outcome."""
        found = self.metrics.registry.get_sample_value("tocsin_requests_total", {"outcome": outcome})
        return found or 0.0


def intake(log: EmbeddedLog, metrics: Metrics) -> Intake:
    """Return what a loop is told of `notifications.requests`."""
    return Intake(
        name="producer.requests",
        topics=[topics.REQUESTS],
        group=topics.intake_group(),
        reader=RequestReader(max_bytes=MAX_BYTES, log_identity=log.identity),
        tally=RequestTally(metrics, knows=lambda _: False),
    )


@asynccontextmanager
async def requesting(
    directory: Path,
    *,
    schema: Schema,
    checker: Checker,
    clock: ManualClock | None = None,
    max_record_bytes: int = MAX_BYTES + 64 * 1024,
) -> AsyncIterator[Requesting]:
    """Open the log of a directory with what takes requests on it. The loop is not started yet."""
    clock, metrics = clock or ManualClock(), Metrics(version="test")
    async with open_log(embedded_config(directory), clock=clock, metrics=metrics) as log:
        await log.ensure_topics(topics.of_channels(CHANNELS))
        embedded = EmbeddedLedger(log, clock=clock, lease=timedelta(seconds=90))
        await embedded.open()
        ledger = FaultyLedger(embedded)
        config = SubmitConfig(
            keep_keys=timedelta(hours=24), at_most_once_categories=frozenset(), timeout=timedelta(seconds=5)
        )
        submitter = Submitter(
            config,
            schema=schema,
            checker=checker,
            ledger=ledger,
            clock=clock,
            randbytes=os.urandom,
            take_intake=lambda: None,
        )
        async with log.publisher() as publisher:
            loop = Requests(
                intake(log, metrics),
                log=log,
                publisher=publisher,
                submitter=submitter,
                clock=clock,
                max_record_bytes=max_record_bytes,
            )
            made = Requesting(
                clock=clock,
                log=log,
                ledger=ledger,
                metrics=metrics,
                submitter=submitter,
                max_record_bytes=max_record_bytes,
                loop=loop,
            )
            try:
                yield made
            finally:
                await made.stop()
