"""Kafka logs for tests: quick to notice rebalances, on topics that the test makes for itself."""

import dataclasses
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from tests.support.clock import ManualClock
from tocsin import topics as names
from tocsin.clock import Clock, from_ms, to_ms
from tocsin.eventlog.kafka import topics
from tocsin.eventlog.kafka.clients import Clients, KafkaClients
from tocsin.eventlog.kafka.driver import Consumer, Fetched
from tocsin.eventlog.kafka.layout import KindSettings, KindTable, Layout
from tocsin.eventlog.kafka.log import KafkaLog, open_log
from tocsin.observe.metrics import Metrics
from tocsin.settings.sections import Kafka
from tocsin.topics import TopicSpec

_KIND = KindSettings(partitions=8, retention_hours=168)
LAYOUT = Layout(
    replication=1,
    min_insync_replicas=1,
    max_message_bytes=1_179_648,
    kinds=KindTable(delivery=_KIND, retry=_KIND, dlq=_KIND, audit=_KIND),
)

QUICK: dict[str, Any] = {"heartbeat_seconds": 0.1, "linger_ms": 0, "session_seconds": 6.0}


def kafka_settings(bootstrap: str, **others: Any) -> Kafka:
    """Return settings for a cluster on this machine."""
    return msgspec.convert({"bootstrap_servers": bootstrap.split(","), **QUICK, **others}, Kafka)


def open_kafka_log(
    settings: Kafka, *, clock: Clock, metrics: Metrics, clients: Clients | None = None
) -> AbstractAsyncContextManager[KafkaLog]:
    """Open a log whose topics have 8 partitions and one copy."""
    return open_log(settings, layout=LAYOUT, clock=clock, metrics=metrics, clients=clients)


async def make_topics(settings: Kafka, specs: Sequence[TopicSpec], *, layout: Layout = LAYOUT) -> None:
    """Make topics, as `tocsin topics apply` does."""
    async with topics.opened(KafkaClients(settings), layout, seconds=60) as there:
        await there.apply(await there.plan(specs), specs)


async def delete_topics(settings: Kafka) -> None:
    """Delete the topics whose names are in use, so that a broker which serves many tests does not get slow."""
    admin: Any = KafkaClients(settings).admin()
    await admin.start()
    try:
        await admin.delete_topics([name for name in await admin.list_topics() if name.startswith(f"{names.PREFIX}.")])
    finally:
        await admin.close()


@asynccontextmanager
async def names_apart() -> AsyncIterator[None]:
    """Give every topic and group a name of its own for the length of the block: tests share the cluster."""
    apart = uuid4().hex[:8]
    prefix = f"{names.PREFIX}-{apart}"
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AUDIT", "REQUESTS", "REQUESTS_DLQ"):
            patch.setattr(names, name, getattr(names, name).replace(names.PREFIX, prefix, 1))
        patch.setattr(names, "PREFIX", prefix)
        for name in ("worker_group", "sink_group", "intake_group", "rules_group", "hearing_group"):
            patch.setattr(names, name, _suffixed(getattr(names, name), apart))
        yield


def _suffixed(group: Callable[..., str], suffix: str) -> Callable[..., str]:
    return lambda *given, **named: f"{group(*given, **named)}.{suffix}"


class DatedClock(ManualClock):
    """A manual clock that knows what it said at which moment of the machine's time."""

    def __init__(self) -> None:
        super().__init__()
        self._moved = [datetime.min.replace(tzinfo=UTC)]
        self._said = [self.now()]

    def advance(self, delta: timedelta) -> None:
        """See `ManualClock`. What is written from now on has another millisecond than what was written before."""
        super().advance(delta)
        before = to_ms(datetime.now(UTC))
        while (moved := datetime.now(UTC)) < from_ms(before + 1):
            pass
        self._moved.append(from_ms(to_ms(moved)))
        self._said.append(self.now())

    def at(self, moment: datetime) -> datetime:
        """Return what it said then."""
        return self._said[bisect_right(self._moved, moment) - 1]


class ClockedClients(KafkaClients):
    """Clients to whom a record was written when the test's clock said so.

    The broker stamps it by the machine's time, which passes while the test's stands still. Whoever holds a record back
    by both clocks, as the gate of the retries does, needs them to agree: as on machines whose clocks are kept right.
    """

    def __init__(self, settings: Kafka, clock: DatedClock) -> None:
        super().__init__(settings)
        self._clock = clock

    def consumer(self, group: str, *, gather: timedelta) -> Consumer:
        """See `Clients`."""
        made: Any = super().consumer(group, gather=gather)
        getmany = made.getmany

        async def clocked(*places: Any, **how: Any) -> Mapping[tuple[str, int], Sequence[Fetched]]:
            found = await getmany(*places, **how)
            return {place: [self._stamped(each) for each in records] for place, records in found.items()}

        made.getmany = clocked
        return made  # type: ignore[no-any-return]

    def _stamped(self, record: Any) -> Any:
        return dataclasses.replace(record, timestamp=to_ms(self._clock.at(from_ms(record.timestamp))))
