"""What a flow runs on: the embedded log with the ledger in its file, or Kafka with the ledger in PostgreSQL."""

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from tests.support.clock import ManualClock
from tests.support.cluster import TOPICS
from tests.support.kafka_logs import QUICK, ClockedClients, DatedClock, kafka_settings, make_topics, open_kafka_log
from tests.support.logs import NOW, drain, embedded_config, reading
from tocsin import topics
from tocsin.clock import to_ms
from tocsin.consume.worker import Worker
from tocsin.delivery import Lane
from tocsin.eventlog.embedded.log import EmbeddedLog, open_log
from tocsin.eventlog.kafka import layout as layouts
from tocsin.eventlog.kafka.log import KafkaLog
from tocsin.eventlog.kafka.subscription import KafkaSubscription
from tocsin.eventlog.port import EventLog
from tocsin.ledger.embedded import EmbeddedLedger
from tocsin.ledger.port import Ledger
from tocsin.ledger.postgres import PostgresLedgerConfig, open_ledger
from tocsin.observe.metrics import Metrics
from tocsin.record import Partition, Received
from tocsin.runtime.clock import SystemClock
from tocsin.store.engine import open_store
from tocsin.topics import TopicSpec

CHANNEL = "email"
LEASE = timedelta(seconds=90)


class Standing(Protocol):
    """A log and a ledger, open, and what a test may ask about them."""

    @property
    def log(self) -> EventLog:
        """The log."""

    @property
    def ledger(self) -> Ledger:
        """The ledger."""

    async def at_rest(self, workers: Sequence[Worker]) -> bool:
        """Return whether everything that can happen without time passing has happened."""

    async def read(self, topic: str) -> list[Received]:
        """Return everything in a topic."""


class Backend(Protocol):
    """What can be opened, again and again: what was written is there the next time."""

    def clock(self) -> ManualClock:
        """Return a clock for the gateway."""

    def opened(
        self, directory: Path, clock: ManualClock, metrics: Metrics, *, channel: str = CHANNEL
    ) -> AbstractAsyncContextManager[Standing]:
        """Open it, with the topics of the channel."""

    async def settings(self, directory: Path) -> dict[str, dict[str, Any]]:
        """Return the settings of a gateway on it, with its topics made."""

    @property
    def hurries(self) -> bool:
        """Whether a gateway's clock may run ahead of the machine's: all else that tells the time follows it."""


@dataclass(frozen=True, slots=True)
class EmbeddedStanding:
    """Fulfils `Standing`."""

    log: EmbeddedLog
    ledger: EmbeddedLedger

    async def at_rest(self, workers: Sequence[Worker]) -> bool:
        """See `Standing`."""
        return self.quiet(workers)

    def quiet(self, workers: Sequence[Worker]) -> bool:
        """Return whether the workers are at rest; here nobody has to be asked for that."""
        return not self.log._writer.queued and all(self._read_up(worker) for worker in workers)

    async def read(self, topic: str) -> list[Received]:
        """See `Standing`."""
        found: list[Received] = []
        async with reading(self.log, topic, group=_onlooker()) as subscription:
            while records := await subscription.fetch(limit=1000, wait=NOW):
                found.extend(records)
        return found

    def _read_up(self, worker: Worker) -> bool:
        if _moving(worker):
            return False
        positions = worker._subscription._positions.items()  # type: ignore[union-attr]
        return _full(worker) or all(position >= self.log.tail(p) for p, position in positions)


class Embedded:
    """Fulfils `Backend`."""

    def clock(self) -> ManualClock:
        """See `Backend`."""
        return ManualClock()

    @asynccontextmanager
    async def opened(
        self, directory: Path, clock: ManualClock, metrics: Metrics, *, channel: str = CHANNEL
    ) -> AsyncIterator[EmbeddedStanding]:
        """See `Backend`."""
        async with open_log(embedded_config(directory), clock=clock, metrics=metrics) as log:
            await log.ensure_topics(topics.of_channels([channel]))
            ledger = EmbeddedLedger(log, clock=clock, lease=LEASE)
            await ledger.open()
            yield EmbeddedStanding(log, ledger)

    async def settings(self, directory: Path) -> dict[str, dict[str, Any]]:
        """See `Backend`."""
        return {"": {"data_dir": str(directory)}}

    @property
    def hurries(self) -> bool:
        """See `Backend`."""
        return True


@dataclass(frozen=True, slots=True)
class ClusterStanding:
    """Fulfils `Standing`."""

    log: KafkaLog
    ledger: Ledger

    async def at_rest(self, workers: Sequence[Worker]) -> bool:
        """See `Standing`. First where everybody stands, then how much there is: the other way about, what was written
        in between would be taken to have been read."""
        stands: dict[Partition, int] = {}
        for worker in workers:
            if _moving(worker):
                return False
            found = _positions(worker._subscription)  # type: ignore[arg-type]
            if found is None:
                return False
            stands.update({} if _full(worker) else found)
        ends = await self.log._lookup.ends(stands)
        return all(position >= ends[place] for place, position in stands.items())

    async def read(self, topic: str) -> list[Received]:
        """See `Standing`. A group that never committed lags behind everything there is."""
        async with reading(self.log, topic, group=_onlooker()) as subscription:
            return await drain(subscription, sum((await subscription.lag()).values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Fulfils `Backend`: a Kafka, and a migrated database on PostgreSQL. A gateway on it has these `channels`.

    `events` are topics of business events, which are made as well.
    """

    bootstrap: str
    database: str
    channels: tuple[str, ...] = (CHANNEL,)
    events: tuple[str, ...] = ()

    def clock(self) -> ManualClock:
        """See `Backend`."""
        return DatedClock()

    @asynccontextmanager
    async def opened(
        self, directory: Path, clock: ManualClock, metrics: Metrics, *, channel: str = CHANNEL
    ) -> AsyncIterator[ClusterStanding]:
        """See `Backend`. The gateway's clock is the test's; what waits for a broker waits by the machine's."""
        del directory
        assert isinstance(clock, DatedClock)
        settings = kafka_settings(self.bootstrap)
        clients = ClockedClients(settings, clock)
        async with AsyncExitStack() as stack:
            log = await stack.enter_async_context(
                open_kafka_log(settings, clock=SystemClock(), metrics=metrics, clients=clients)
            )
            await make_topics(settings, _of_one_lane(channel))
            await log.ensure_topics(_of_one_lane(channel))
            ledger = await stack.enter_async_context(
                open_ledger(
                    store=await stack.enter_async_context(open_store(self.database)),
                    log=log,
                    publisher=await stack.enter_async_context(log.publisher()),
                    clock=clock,
                    config=PostgresLedgerConfig(lease=LEASE),
                    owner=uuid4().hex,
                    now_ms=lambda: to_ms(clock.now()),
                )
            )
            yield ClusterStanding(log, ledger)

    async def settings(self, directory: Path) -> dict[str, dict[str, Any]]:
        """See `Backend`."""
        directory.mkdir(exist_ok=True)
        layout = directory / "topics.toml"
        layout.write_text(TOPICS)
        specs = [*topics.of_channels(self.channels), *topics.of_events(self.events)]
        await make_topics(kafka_settings(self.bootstrap), specs, layout=layouts.load(layout, replication=1))
        return {
            "": {"data_dir": str(directory)},
            "kafka": {
                "bootstrap_servers": self.bootstrap.split(","),
                "topics_file": str(layout),
                "replication": 1,
                **QUICK,
            },
            "store": {"url": self.database},
        }

    @property
    def hurries(self) -> bool:
        """See `Backend`."""
        return False


def _of_one_lane(channel: str) -> list[TopicSpec]:
    retries = (TopicSpec(name=name, kind="retry") for name in topics.retries(channel, Lane.NORMAL))
    return [
        TopicSpec(name=topics.delivery(channel, Lane.NORMAL), kind="delivery"),
        *retries,
        TopicSpec(name=topics.dlq(channel), kind="dlq"),
        TopicSpec(name=topics.AUDIT, kind="audit"),
    ]


def _onlooker() -> str:
    return f"look-{os.urandom(4).hex()}"


def _moving(worker: Worker) -> bool:
    return worker._subscription is None or bool(worker._running or worker._ready)


def _full(worker: Worker) -> bool:
    """Return whether it leaves something where it is, for want of room."""
    return any(not tracker.has_room for tracker in worker._trackers.values())


def _positions(subscription: KafkaSubscription) -> Mapping[Partition, int] | None:
    """Return how far it has handed records out, None while it looks for its places."""
    assignment = subscription._assignment
    if subscription._handing_over or not assignment.partitions or assignment.unplaced() or assignment.gaps():
        return None
    return {partition: place.next - len(place.stash) for partition, place in assignment.items()}
