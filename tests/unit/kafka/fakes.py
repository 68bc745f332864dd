"""A cluster that does what a test says: its clients behave as aiokafka's do, traps included, and write down what they
are asked to do."""

import asyncio
import contextlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from tests.support.clock import ManualClock
from tests.support.logs import ignore
from tocsin.eventlog.kafka.condition import Condition
from tocsin.eventlog.kafka.driver import KafkaError
from tocsin.eventlog.kafka.lookup import Lookup
from tocsin.eventlog.kafka.producing import Producing
from tocsin.eventlog.kafka.subscription import KafkaSubscription, Patience
from tocsin.eventlog.port import OnAssigned, OnRevoked
from tocsin.observe.metrics import Metrics
from tocsin.record import Partition

TOPIC = "notifications.test"
GROUP = "readers"
GATHER = timedelta(milliseconds=5)
A, B = Partition(TOPIC, 0), Partition(TOPIC, 1)


@dataclass
class Entry:
    """A record in a partition. One that is `bad` has a header name that is not UTF-8."""

    topic: str
    partition: int
    offset: int
    bad: bool = False
    timestamp: int = 0
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = ()
    value: bytes | None = None

    def __post_init__(self) -> None:
        self.value = b"%d/%d" % (self.partition, self.offset)


class Cluster:
    """What the clients share. Fulfils `Clients`; `happened` is what was done, in order."""

    def __init__(self, *partitions: Partition) -> None:
        self.partitions = partitions or (A, B)
        self.entries: dict[Partition, list[Entry]] = {partition: [] for partition in self.partitions}
        self.beginnings: dict[Partition, int] = dict.fromkeys(self.partitions, 0)
        self.commits: dict[Partition, int] = {}
        self.happened: list[Any] = []
        self.consumers: list[FakeConsumer] = []
        self.producers: list[FakeProducer] = []
        self.reachable = True
        self.startable = True

    def put(self, partition: Partition, *offsets: int, bad: Collection[int] = ()) -> None:
        """Write records."""
        self.entries[partition] += [Entry(*partition, offset, bad=offset in bad) for offset in offsets]
        for consumer in self.consumers:
            consumer.arrived.set()

    def end(self, partition: Partition) -> int:
        """Return the next offset to be written."""
        entries = self.entries[partition]
        return entries[-1].offset + 1 if entries else self.beginnings[partition]

    def consumer(self, group: str, *, gather: timedelta) -> "FakeConsumer":
        """See `Clients`."""
        assert (group, gather) == (GROUP, GATHER)
        self.consumers.append(FakeConsumer(self))
        return self.consumers[-1]

    def observer(self) -> "FakeConsumer":
        """See `Clients`."""
        return FakeConsumer(self)

    def producer(self) -> "FakeProducer":
        """See `Clients`."""
        self.producers.append(FakeProducer(self))
        return self.producers[-1]

    def admin(self) -> Any:
        """See `Clients`."""
        return FakeAdmin(self)

    async def trouble(self) -> str:
        """See `Clients`."""
        return ""

    def check(self) -> None:
        """Raise where the cluster cannot be asked."""
        if not self.reachable:
            raise KafkaError("nobody there")


class FakeConsumer:
    """Fulfils `driver.Consumer`. It has no `pause`: whoever calls it fails."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.listener: Any = None
        self.given: Collection[Partition] = cluster.partitions
        self.polls: list[tuple[Sequence[tuple[str, int]], int]] = []
        self.positions: dict[Partition, int] = {}
        self.arrived = asyncio.Event()
        self.held = asyncio.Event()
        self.held.set()
        self.slow = asyncio.Event()
        self.slow.set()
        self.cancelled = False
        self.deaf = False
        self.errors: list[Exception] = []
        self.commit_error: Exception | None = None
        self.commit_held = False

    def subscribe(self, topics: Sequence[str], *, listener: Any) -> None:
        assert list(topics) == [TOPIC]
        self.listener = listener

    async def start(self) -> None:
        if not self.cluster.startable:
            raise KafkaError("not now")
        await self.listener.on_partitions_revoked(set())
        await self.assign(self.given)

    async def assign(self, partitions: Collection[Partition]) -> None:
        """What the end of a rebalance does: positions and buffers are wiped."""
        self.positions = {partition: self.cluster.commits.get(partition, 0) for partition in partitions}
        await self.listener.on_partitions_assigned(set(partitions))

    async def rebalance(self, partitions: Collection[Partition]) -> None:
        """Take all away, and give these."""
        await self.listener.on_partitions_revoked(set(self.positions))
        await self.assign(partitions)

    async def stop(self) -> None:
        self.cluster.happened.append("stop")

    async def getmany(
        self, *partitions: Any, timeout_ms: int, max_records: int
    ) -> Mapping[tuple[str, int], Sequence[Entry]]:
        assert partitions, "no partitions at all means every one"
        self.polls.append((partitions, max_records))
        try:
            await self.held.wait()
            if self.errors:
                raise self.errors.pop(0)
            if not (found := self._drained(partitions, max_records)):
                self.arrived.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.arrived.wait(), timeout_ms / 1000)
                found = self._drained(partitions, max_records)
            await self.slow.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return found

    def _drained(self, partitions: Sequence[Any], most: int) -> dict[tuple[str, int], list[Entry]]:
        """As aiokafka does: what one partition gave is gone when the next one raises."""
        drained: dict[tuple[str, int], list[Entry]] = {}
        for partition, position in list(self.positions.items()):
            if partition not in partitions or self.deaf:
                continue
            for entry in self.cluster.entries[partition]:
                if entry.offset < position or most == 0:
                    continue
                if entry.bad:
                    raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")
                drained.setdefault(partition, []).append(entry)
                most -= 1
            if partition in drained:
                self.positions[partition] = drained[partition][-1].offset + 1
        return drained

    async def commit(self, offsets: Mapping[Any, int]) -> None:
        self.cluster.happened.append(("commit", {Partition(*p): offset for p, offset in offsets.items()}))
        if self.commit_held:
            await asyncio.Event().wait()
        if self.commit_error is not None:
            raise self.commit_error
        self.cluster.commits.update({Partition(*p): offset for p, offset in offsets.items()})

    def seek(self, partition: Any, offset: int) -> None:
        self.positions[Partition(*partition)] = offset
        self.arrived.set()

    async def beginning_offsets(self, partitions: Sequence[Any]) -> Mapping[tuple[str, int], int]:
        self.cluster.check()
        return {p: self.cluster.beginnings[Partition(*p)] for p in partitions}

    async def end_offsets(self, partitions: Sequence[Any]) -> Mapping[tuple[str, int], int]:
        self.cluster.check()
        return {p: self.cluster.end(Partition(*p)) for p in partitions}

    async def offsets_for_times(self, timestamps: Mapping[Any, int]) -> Mapping[tuple[str, int], Any]:
        raise NotImplementedError


class FakeAdmin:
    """Fulfils of `driver.Admin` what a log asks."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    async def list_consumer_group_offsets(
        self, _group: str, *, partitions: Sequence[Any] | None = None
    ) -> Mapping[tuple[str, int], Any]:
        self.cluster.check()
        wanted = self.cluster.commits if partitions is None else partitions
        return {p: SimpleNamespace(offset=self.cluster.commits.get(Partition(*p), -1)) for p in wanted}

    async def describe_topics(self) -> Sequence[Mapping[str, Any]]:
        self.cluster.check()
        return [{"topic": TOPIC, "partitions": list(range(len(self.cluster.partitions)))}]


class FakeProducer:
    """Fulfils `driver.Producer`. What is sent is acknowledged at once unless `silent`, or refused with `refusal`."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.sent: list[tuple[str, int, bytes]] = []
        self.futures: list[asyncio.Future[None]] = []
        self.silent = False
        self.refusal: Exception | None = None
        self.full = False
        self.stopped = False

    async def start(self) -> None:
        if not self.cluster.startable:
            raise KafkaError("not now")

    async def stop(self) -> None:
        self.stopped = True

    async def partitions_for(self, topic: str) -> Collection[int]:
        assert topic == TOPIC, "asking for a topic that is missing may create it"
        return range(len(self.cluster.partitions))

    async def send(
        self, topic: str, value: bytes, _key: bytes | None, *, partition: int, headers: Sequence[tuple[str, bytes]]
    ) -> asyncio.Future[None]:
        assert isinstance(headers, list)
        if self.full:
            await asyncio.Event().wait()
        self.sent.append((topic, partition, value))
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.refusal is not None:
            future.set_exception(self.refusal)
        elif not self.silent:
            future.set_result(None)
        self.futures.append(future)
        return future


class Stage:
    """A cluster with all that belongs to a log on it."""

    def __init__(self, *partitions: Partition) -> None:
        self.cluster = Cluster(*partitions)
        self.clock = ManualClock()
        self.metrics = Metrics(version="test")
        self.condition = Condition(self.metrics)
        admin: Any = self.cluster.admin()
        self.lookup = Lookup(admin, self.cluster.observer(), seconds=1)

    def subscription(
        self, *, on_assigned: OnAssigned = ignore, on_revoked: OnRevoked = ignore, commit: float = 1.0
    ) -> KafkaSubscription:
        """Return a subscription that is not open."""
        return KafkaSubscription(
            self.cluster,
            self.lookup,
            [TOPIC],
            group=GROUP,
            on_assigned=on_assigned,
            on_revoked=on_revoked,
            gather=GATHER,
            patience=Patience(join=1, commit=commit, stall=60, limbo=120),
            clock=self.clock,
            condition=self.condition,
            metrics=self.metrics,
        )

    def producing(self, *, number: int = 1, seconds: float = 1.0) -> Producing:
        """Return a producer that is not open."""
        return Producing(
            self.cluster,
            self.lookup,
            number=number,
            seconds=seconds,
            max_record_bytes=10_000,
            clock=self.clock,
            condition=self.condition,
            metrics=self.metrics,
        )
