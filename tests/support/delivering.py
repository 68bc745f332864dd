"""The delivery path from record to audit on a real log, with a scripted provider and a clock that moves when told."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from channels.attempt import AttemptConfig, Attempts
from channels.reading import Reader
from channels.tally import Tally
from tests.support.clock import ManualClock
from tests.support.logs import NOW, embedded_config, reading
from tests.support.scripted import ScriptedCarrier, ScriptedProvider
from tests.support.waiting import until
from tocsin import delivery as deliveries
from tocsin import envelope, hops, ids, schemas, topics
from tocsin.consume.permits import Permits, Stream
from tocsin.consume.worker import Budget, Worker, WorkerConfig
from tocsin.delivery import Delivery, Lane, Person, Semantics, TemplateRef
from tocsin.envelope import Envelope
from tocsin.eventlog.embedded.log import EmbeddedLog, open_log
from tocsin.ledger.embedded import EmbeddedLedger
from tocsin.lifecycle import AuditEvent
from tocsin.observe.metrics import Metrics
from tocsin.record import Received, Record
from tocsin.retry import RetryPolicy

CHANNEL = "email"


def make_delivery(
    address: str,
    *,
    now: datetime,
    lane: Lane = Lane.NORMAL,
    semantics: Semantics = "at_least_once",
    expires_in: timedelta = timedelta(days=3),
) -> Delivery:
    """Return a delivery with ready-made content."""
    notification = ids.notification_id(now, os.urandom)
    return Delivery(
        id=ids.delivery_id(notification, CHANNEL, address),
        notification_id=notification,
        tenant="default",
        channel=CHANNEL,
        address=address,
        recipient=Person(id=address),
        lane=lane,
        category="default",
        semantics=semantics,
        accepted_at=now,
        expires_at=now + expires_in,
        content={"subject": "s", "text": "t"},
    )


def record_of(delivery: Delivery, *, life: int = 0) -> Record:
    """Return the record with which the delivery's life begins."""
    attributes = Envelope(
        id=delivery.id, type=deliveries.CLOUD_EVENT_TYPE, time=delivery.accepted_at, schema=deliveries.SCHEMA
    )
    hop = hops.first(now=delivery.accepted_at, expires_at=delivery.expires_at, life=life)
    return Record(
        topic=topics.delivery(CHANNEL, delivery.lane),
        key=ids.recipient_key(delivery.tenant, delivery.address),
        value=deliveries.encode(delivery),
        headers=hops.write(envelope.write(attributes), hop),
    )


@dataclass(slots=True, kw_only=True)
class Delivering:
    """A channel at work."""

    clock: ManualClock
    log: EmbeddedLog
    ledger: EmbeddedLedger
    provider: ScriptedProvider
    carrier: ScriptedCarrier
    tally: Tally
    workers: list[Worker]
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def accept(self, *given: Delivery) -> None:
        """Write the records of deliveries."""
        await self.write(*(record_of(delivery) for delivery in given))

    async def write(self, *records: Record) -> None:
        """Write records as they are."""
        async with self.log.publisher() as publisher:
            await publisher.write(records)

    async def events(self) -> list[AuditEvent]:
        """Return all audit events so far, in the order of the log per notification."""
        return [envelope.audit_event(record.value) for record in await self.read(topics.AUDIT)]

    async def dead_letters(self) -> list[Received]:
        """Return all dead letters so far."""
        return await self.read(topics.dlq(CHANNEL))

    async def read(self, topic: str) -> list[Received]:
        """Return everything in a topic."""
        found: list[Received] = []
        async with reading(self.log, topic, group=f"look-{os.urandom(4).hex()}") as subscription:
            while records := await subscription.fetch(limit=1000, wait=NOW):
                found.extend(records)
        return found

    @property
    def quiet(self) -> bool:
        """Whether everything that can happen without time passing has happened."""
        log = self.log
        if log._writer.queued:
            return False
        for worker in self.workers:
            subscription = worker._subscription
            if subscription is None or worker._running or worker._ready:
                return False
            unread = any(position < log.tail(p) for p, position in subscription._positions.items())  # type: ignore[attr-defined]
            full = any(not tracker.has_room for tracker in worker._trackers.values())
            if unread and not full:
                return False
        return True

    async def settle_down(self) -> None:
        """Return once nothing moves any more without time passing."""
        await until(lambda: self.quiet, what="the workers to come to rest")

    async def run_until_over(self, *, longest: timedelta = timedelta(days=40)) -> None:
        """Move the clock from one due time to the next until nothing waits."""
        end = self.clock.now() + longest
        await self.settle_down()
        while due := min((w._gate._armed_for for w in self.workers if w._gate._armed_for), default=None):
            assert due <= end, "something waits longer than anything should"
            self.clock.advance(due - self.clock.now())
            await self.settle_down()

    async def stop(self) -> None:
        """Drain the workers."""
        for worker in self.workers:
            worker.stop()
        await asyncio.gather(*self.tasks)
        self.tasks.clear()


async def _no_template(ref: TemplateRef) -> None:
    raise AssertionError(f"no delivery here has a template, and yet {ref.name} was asked for")


@asynccontextmanager
async def delivering(
    directory: Path,
    clock: ManualClock,
    *,
    provider: ScriptedProvider | None = None,
    window: int = 1000,
    in_flight: int = 64,
    policy: RetryPolicy | None = None,
    lanes: Sequence[Lane] = (Lane.NORMAL,),
) -> AsyncIterator[Delivering]:
    """Open the log of a directory and run one channel on it."""
    provider = provider or ScriptedProvider(clock)
    metrics = Metrics(version="test")
    async with open_log(embedded_config(directory), clock=clock, metrics=metrics) as log:
        await log.ensure_topics(topics.of_channels([CHANNEL]))
        ledger = EmbeddedLedger(log, clock=clock, lease=timedelta(seconds=90))
        await ledger.open()
        carrier, tally = ScriptedCarrier(provider), Tally(CHANNEL, metrics=metrics)
        config = AttemptConfig(channel=CHANNEL, policy=policy or RetryPolicy(), deadline=timedelta(seconds=60))
        attempts = Attempts(
            config,
            reader=Reader(schemas.load("delivery")),
            carrier=carrier,
            ledger=ledger,
            clock=clock,
            random=lambda: 0.5,
            tally=tally,
            fetch_template=_no_template,
        )
        permits, budget = Permits(in_flight), Budget(1 << 26)
        workers = [
            Worker(
                log=log,
                ledger=ledger,
                topics=topics.retries(CHANNEL, lane) if retrying else [topics.delivery(CHANNEL, lane)],
                group=topics.worker_group(CHANNEL, lane, retrying=retrying),
                stream=Stream(lane=lane, retrying=retrying),
                handler=attempts,
                permits=permits,
                budget=budget,
                clock=clock,
                config=WorkerConfig(
                    unfinished_records=window,
                    unfinished_bytes=1 << 24,
                    drain=timedelta(seconds=5),
                    commit_interval=timedelta(seconds=1),
                    commit_every=50,
                ),
                on_released=lambda _: None,
                may_take=lambda: not tally.halted,
            )
            for lane in lanes
            for retrying in (False, True)
        ]
        made = Delivering(
            clock=clock, log=log, ledger=ledger, provider=provider, carrier=carrier, tally=tally, workers=workers
        )
        made.tasks = [asyncio.create_task(worker.run()) for worker in workers]
        try:
            yield made
        finally:
            await made.stop()
