"""The delivery path from record to audit on a real log, with a scripted provider and a clock that moves when told."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from channels.admission import Admission
from channels.attempt import AttemptConfig, Attempts
from channels.breaker import BreakerPolicy
from channels.changes import RouteChanges
from channels.provider import Carrier
from channels.reading import Reader
from channels.route import PATIENCE_SECONDS
from channels.routes import Routes
from channels.tally import Tally
from tests.support.backends import CHANNEL, Backend, Embedded, EmbeddedStanding, Standing
from tests.support.clock import ManualClock
from tests.support.scripted import ScriptedCarrier, ScriptedProvider
from tocsin import delivery as deliveries
from tocsin import envelope, hops, ids, schemas, topics
from tocsin.consume.permits import Stream
from tocsin.consume.worker import Budget, Worker, WorkerConfig
from tocsin.delivery import Delivery, Lane, Person, Semantics, TemplateRef
from tocsin.envelope import Envelope
from tocsin.eventlog.port import EventLog
from tocsin.ledger.port import Ledger
from tocsin.lifecycle import AuditEvent
from tocsin.observe.metrics import Metrics
from tocsin.record import Received, Record
from tocsin.retry import RetryPolicy

__all__ = ["CHANNEL", "Delivering", "delivering", "make_delivery", "record_of"]

CONTENT: Mapping[str, Any] = {"subject": "s", "text": "t"}
_REST_SECONDS = 60
_LOOK_SECONDS = 0.002


def make_delivery(
    address: str,
    *,
    now: datetime,
    channel: str = CHANNEL,
    content: Mapping[str, Any] = CONTENT,
    lane: Lane = Lane.NORMAL,
    semantics: Semantics = "at_least_once",
    expires_in: timedelta = timedelta(days=3),
) -> Delivery:
    """Return a delivery with ready-made content."""
    notification = ids.notification_id(now, os.urandom)
    return Delivery(
        id=ids.delivery_id(notification, channel, address),
        notification_id=notification,
        tenant="default",
        channel=channel,
        address=address,
        recipient=Person(id=address),
        lane=lane,
        category="default",
        semantics=semantics,
        accepted_at=now,
        expires_at=now + expires_in,
        content=dict(content),
    )


def record_of(delivery: Delivery, *, life: int = 0) -> Record:
    """Return the record with which the delivery's life begins."""
    attributes = Envelope(
        id=delivery.id, type=deliveries.CLOUD_EVENT_TYPE, time=delivery.accepted_at, schema=deliveries.SCHEMA
    )
    hop = hops.first(now=delivery.accepted_at, expires_at=delivery.expires_at, life=life)
    return Record(
        topic=topics.delivery(delivery.channel, delivery.lane),
        key=ids.recipient_key(delivery.tenant, delivery.address),
        value=deliveries.encode(delivery),
        headers=hops.write(envelope.write(attributes), hop),
    )


@dataclass(slots=True, kw_only=True)
class ChannelAtWork:
    """A channel at work, whatever its carrier."""

    channel: str
    clock: ManualClock
    standing: Standing
    log: EventLog
    ledger: Ledger
    tally: Tally
    routes: Routes
    changes: RouteChanges
    workers: list[Worker]
    under_way: Callable[[], int] | None
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
        return await self.read(topics.dlq(self.channel))

    async def read(self, topic: str) -> list[Received]:
        """Return everything in a topic."""
        return await self.standing.read(topic)

    @property
    def quiet(self) -> bool:
        """Whether everything that can happen without time passing has happened. The embedded log's only."""
        assert isinstance(self.standing, EmbeddedStanding)
        return self._barred or self.standing.quiet(self.workers)

    @property
    def _barred(self) -> bool:
        """Whether nothing moves since no route takes anything, whatever waits."""
        if any(worker._running for worker in self.workers):
            return False
        return not (self.routes.may_take() and self.routes.has_room(0))

    @property
    def _pausing(self) -> bool:
        """Whether all that is in hand waits in place for its provider to take something again."""
        if self.under_way is None:
            return False
        turns = [route.turns for route in self.routes._all]
        return 0 < self.in_hand == sum(each.under_way + each.waiting for each in turns) - self.under_way()

    @property
    def _barred_seconds(self) -> float:
        """For how long that is so."""
        now, routes = self.clock.monotonic(), self.routes._all
        if open_ := [route for route in routes if route.takes(now)]:
            return max(0.0, min(route.wait(now, "") for route in open_) - PATIENCE_SECONDS)
        return max(self.routes._next_try_at - now, min(route.closed_for(now) for route in routes))

    @property
    def in_hand(self) -> int:
        """How many deliveries are being worked on, those included that wait for their turn."""
        return sum(len(worker._running) for worker in self.workers)

    async def settle_down(self) -> None:
        """Return once nothing moves any more without time passing."""
        async with asyncio.timeout(_REST_SECONDS):
            await asyncio.sleep(0)  # what the clock has woken goes first: it does not pause any more
            while self.changes.untold or not await self._at_rest():  # noqa: ASYNC110 - of what others do there is no event
                await asyncio.sleep(_LOOK_SECONDS)

    async def _at_rest(self) -> bool:
        return self._barred or self._pausing or await self.standing.at_rest(self.workers)

    async def run_until_over(self, *, longest: timedelta = timedelta(days=40)) -> None:
        """Move the clock from one due time to the next until nothing waits."""
        end = self.clock.now() + longest
        await self.settle_down()
        while due := self.next_due():
            assert due <= end, "something waits longer than anything should"
            self.clock.advance(due - self.clock.now())
            await self.settle_down()

    def next_due(self) -> datetime | None:
        """Return when something happens next, be it that a route takes something again; None if nothing waits."""
        if self._pausing:
            return self.clock.next_due()
        if self._barred:
            return self.clock.now() + timedelta(seconds=self._barred_seconds, milliseconds=1)
        return min((worker._gate._armed_for for worker in self.workers if worker._gate._armed_for), default=None)

    async def stop(self) -> None:
        """Drain the workers."""
        for worker in self.workers:
            worker.stop()
        self.changes.stop()
        await asyncio.gather(*self.tasks)
        self.tasks.clear()


@dataclass(slots=True, kw_only=True)
class Delivering(ChannelAtWork):
    """A channel at work with a provider that says what it is told."""

    provider: ScriptedProvider
    carrier: ScriptedCarrier


async def _no_template(ref: TemplateRef) -> None:
    raise AssertionError(f"no delivery here has a template, and yet {ref.name} was asked for")


async def _never_suppressed(delivery: Delivery) -> None:
    del delivery


@asynccontextmanager
async def delivering(
    directory: Path,
    clock: ManualClock,
    *,
    backend: Backend | None = None,
    provider: ScriptedProvider | None = None,
    window: int = 1000,
    in_flight: int = 64,
    policy: RetryPolicy | None = None,
    lanes: Sequence[Lane] = (Lane.NORMAL,),
    others: Sequence[ScriptedProvider] = (),
    breaker: BreakerPolicy | None = None,
) -> AsyncIterator[Delivering]:
    """Open the log of a directory, or what the backend opens, and run one channel on it."""
    provider = provider or ScriptedProvider(clock)
    carrier = ScriptedCarrier(provider, *others)
    async with at_work(
        *(directory, clock, carrier),
        backend=backend,
        window=window,
        in_flight=in_flight,
        policy=policy,
        lanes=lanes,
        breaker=breaker,
    ) as made:
        known = {each.name: getattr(made, each.name) for each in fields(made)}
        yield Delivering(**known, provider=provider, carrier=carrier)


@asynccontextmanager
async def at_work(
    directory: Path,
    clock: ManualClock,
    carrier: Carrier,
    *,
    channel: str = CHANNEL,
    backend: Backend | None = None,
    window: int = 1000,
    in_flight: int = 64,
    policy: RetryPolicy | None = None,
    lanes: Sequence[Lane] = (Lane.NORMAL,),
    breaker: BreakerPolicy | None = None,
    under_way: Callable[[], int] | None = None,
) -> AsyncIterator[ChannelAtWork]:
    """Open the log of a directory, or what the backend opens, and run a channel with this carrier on it.

    `under_way` returns how many calls its providers have now: without it nothing may wait in place.
    """
    metrics = Metrics(version="test")
    async with AsyncExitStack() as stack:
        backend = backend or Embedded()
        standing = await stack.enter_async_context(backend.opened(directory, clock, metrics, channel=channel))
        log, ledger = standing.log, standing.ledger
        tally = Tally(channel, metrics=metrics)
        publisher = await stack.enter_async_context(log.publisher())
        changes = RouteChanges(publisher=publisher, clock=clock, metrics=metrics)
        routes = Routes(
            carrier.providers,
            clock=clock,
            random=Random(7).random,
            on_change=partial(changes.tell, channel),
            policy=breaker,
        )
        config = AttemptConfig(channel=channel, policy=policy or RetryPolicy(), deadline=timedelta(seconds=60))
        attempts = Attempts(
            config,
            reader=Reader(schemas.load("delivery")),
            carrier=carrier,
            ledger=ledger,
            clock=clock,
            random=lambda: 0.5,
            tally=tally,
            routes=routes,
            fetch_template=_no_template,
            suppressed=_never_suppressed,
        )
        permits, budget = Admission(in_flight, routes), Budget(1 << 26)
        workers = [
            Worker(
                log=log,
                ledger=ledger,
                topics=topics.retries(channel, lane) if retrying else [topics.delivery(channel, lane)],
                group=topics.worker_group(channel, lane, retrying=retrying),
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
                may_take=lambda: not tally.halted and routes.may_take(),
            )
            for lane in lanes
            for retrying in (False, True)
        ]
        made = ChannelAtWork(
            channel=channel,
            clock=clock,
            standing=standing,
            log=log,
            ledger=ledger,
            tally=tally,
            routes=routes,
            changes=changes,
            workers=workers,
            under_way=under_way,
        )
        made.tasks = [asyncio.create_task(worker.run()) for worker in workers]
        made.tasks.append(asyncio.create_task(changes.run()))
        try:
            yield made
        finally:
            await made.stop()
