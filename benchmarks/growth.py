"""Whether a long log is slower than an empty one: the same job over both, in turn.

The records are written through the real log and ledger, four to a delivery as the real ones are; then the groups that
read them are told that they have. So they weigh as the traffic of the last days does.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import SystemRandom
from statistics import median
from tempfile import TemporaryDirectory

from msgspec.structs import replace

from benchmarks import gateway, load_runs, say, sinks, throughput
from benchmarks.children import Children, until
from benchmarks.options import BATCH, Options
from benchmarks.sinks import Sink
from tocsin import ids, topics
from tocsin.consume.ingest import kept_as
from tocsin.delivery import Lane
from tocsin.eventlog.embedded.log import EmbeddedConfig, EmbeddedLog, open_log
from tocsin.eventlog.embedded.retention import Retention
from tocsin.ledger.embedded import EmbeddedLedger
from tocsin.ledger.port import AttemptKey, Settlement
from tocsin.lifecycle import State
from tocsin.observe.metrics import Metrics
from tocsin.record import Partition, Record, Source
from tocsin.runtime.clock import SystemClock
from tocsin.settings.sections import EventLog
from tocsin.store import offsets
from tocsin.store.engine import open_store

_DELIVERIES = topics.delivery("email", Lane.NORMAL)
# Those that keep their offsets in the store, and those that keep them in the log alone.
_SINKS = (
    topics.sink_group("audit", "ingest"),
    topics.sink_group("dlq", "followup"),
    topics.sink_group("producer", "suppressing"),
)
_READERS = {
    topics.worker_group("email", Lane.NORMAL, retrying=False): _DELIVERIES,
    topics.hearing_group(): topics.AUDIT,
}
_AT_ONCE = 500
_PER_DELIVERY = 1 + throughput.EVENTS
_REPORT_EVERY = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """Submit+deliver a second over an empty log, and over one with `records` records; CPU time a notification."""

    records: int
    empty_per_s: float
    long_per_s: float
    empty_cpu_us: float
    long_cpu_us: float


def run(options: Options, directory: Path) -> Growth:
    """Measure both. Raises Failed."""
    with TemporaryDirectory(dir=directory, prefix="growth-") as own, Children(Path(own)) as children:
        sink, data = sinks.postfix(children), Path(own) / "data"
        _sample(children, Path(own), data, sink, options)
        asyncio.run(_fill(data, options.records))
        empty, long = [], []
        for _ in range(options.runs):
            say.step("empty log:")
            empty.append(throughput.run(options, Path(own), smtp_port=sink.port))
            say.step(f"{options.records:,} records:")
            long.append(throughput.run(options, Path(own), smtp_port=sink.port, data=data))
    return Growth(
        records=options.records,
        empty_per_s=median(job.submit_deliver_per_s for job in empty),
        long_per_s=median(job.submit_deliver_per_s for job in long),
        empty_cpu_us=median(job.cpu_us for job in empty),
        long_cpu_us=median(job.cpu_us for job in long),
    )


def _sample(children: Children, directory: Path, data: Path, sink: Sink, options: Options) -> None:
    """Have the gateway make its files, and some records to copy."""
    with gateway.serving(directory, data, smtp_port=sink.port) as serving:
        load_runs.batches(children, serving, first=0, count=BATCH, limit=options.limit)
        events = throughput.EVENTS * BATCH
        until(lambda: serving.events() >= events, serving.child, within=options.limit, every=0.1)


async def _fill(data: Path, records: int) -> None:
    settings, clock = EventLog(), SystemClock()
    age = timedelta(hours=settings.retention_hours)
    config = EmbeddedConfig(
        directory=data,
        partitions=settings.partitions,
        retention=Retention(ages=dict.fromkeys(("delivery", "retry", "dlq", "audit"), age), max_bytes=1 << 40),
        queue_limit=settings.queue_limit,
    )
    async with open_log(config, clock=clock, metrics=Metrics(version="benchmark")) as log:
        ledger = EmbeddedLedger(log, clock=clock, lease=timedelta(seconds=90))
        await ledger.open()
        await _write(ledger, await _records(log), records // _PER_DELIVERY)
        for group, topic in _READERS.items():
            await _read_all(log, group, topic)
        tails = {kept_as(group, log): await _read_all(log, group, topics.AUDIT) for group in _SINKS}
    async with open_store(f"sqlite:///{data / 'store.db'}") as store, store.write() as connection:
        for name, ends in tails.items():
            await offsets.advance(connection, name, ends)


async def _records(log: EmbeddedLog) -> tuple[Record, ...]:
    """Return the records of one delivery."""
    found = []
    for topic, count in ((_DELIVERIES, 1), (topics.AUDIT, throughput.EVENTS)):
        async with log.subscribe([topic], group="benchmarks", on_assigned=_ignore, on_revoked=_ignore) as reader:
            received = await reader.fetch(limit=_AT_ONCE, wait=timedelta(seconds=5))
            found += [Record(topic=r.topic, key=r.key, value=r.value, headers=r.headers) for r in received[:count]]
    return tuple(found)


async def _write(ledger: EmbeddedLedger, records: Sequence[Record], deliveries: int) -> None:
    """Settle deliveries that never were, each with a copy of the records."""
    clock, random, told = SystemClock(), SystemRandom(), time.monotonic()
    for first in range(0, deliveries, _AT_ONCE):
        made = [ids.notification_id(clock.now(), random.randbytes) for _ in range(min(_AT_ONCE, deliveries - first))]
        await asyncio.gather(*(ledger.settle(_settlement(each, records, first)) for each in made))
        if time.monotonic() - told > _REPORT_EVERY:
            told = time.monotonic()
            say.step(f"{first * _PER_DELIVERY:,} of {deliveries * _PER_DELIVERY:,} records written")


def _settlement(notification_id: str, records: Sequence[Record], number: int) -> Settlement:
    delivery = ids.delivery_id(notification_id, "email", "nobody")
    return Settlement(
        source=Source(_DELIVERIES, 0, number),
        records=tuple(replace(record, key=notification_id.encode()) for record in records),
        key=AttemptKey(delivery, 1, 1),
        life=(delivery, 1),
        terminal=State.DELIVERED,
    )


async def _read_all(log: EmbeddedLog, group: str, topic: str) -> dict[Partition, int]:
    """Put a group behind the last record; return where that is."""
    async with log.subscribe([topic], group=group, on_assigned=_ignore, on_revoked=_ignore) as subscription:
        ends = {partition: log.tail(partition) for partition in subscription.assigned}
        await subscription.commit(ends)
    return ends


async def _ignore(_partitions: object) -> None:
    pass
