"""A log of lists: what a sink's loop needs of one, and the ways in which it may be unkind."""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tests.support.clock import ManualClock, ManualTimer
from tocsin.errors import LogError
from tocsin.eventlog.port import Health, OnAssigned, OnRevoked, Publisher
from tocsin.record import Partition, Received
from tocsin.topics import TopicSpec

TOPIC = "notifications.audit"
AT = datetime(2030, 1, 1, tzinfo=UTC)


class HurryingClock(ManualClock):
    """A clock that is always at once where somebody waits for it to be. `pauses` is how long they meant to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[float] = []

    def call_at(self, when: datetime, callback: Callable[[], None]) -> ManualTimer:
        self.pauses.append((when - self.now()).total_seconds())
        timer = super().call_at(when, callback)
        self.advance(max(when - self.now(), timedelta()))
        return timer


@dataclass
class ScriptedLog:
    """Fulfils `EventLog` for one group. `on_idle` is called by a fetch that finds nothing.

    What is `arriving` is assigned in the midst of the next fetch.
    """

    identity: str = "scripted"
    records: dict[Partition, list[Received]] = field(default_factory=dict)
    committed: dict[Partition, int] = field(default_factory=dict)
    positions: dict[Partition, int] = field(default_factory=dict)
    on_idle: Callable[[], None] = lambda: None
    on_fetch: Callable[[], None] = lambda: None
    fetch_errors: list[LogError] = field(default_factory=list)
    commit_errors: list[BaseException] = field(default_factory=list)
    arriving: set[Partition] = field(default_factory=set)
    on_assigned: OnAssigned | None = None
    on_revoked: OnRevoked | None = None
    hurried: bool = False

    def put(self, *values: bytes, partition: int = 0, first: int | None = None, key: bytes | None = None) -> None:
        """Append records; `first` leaves a gap before them."""
        where = Partition(TOPIC, partition)
        there = self.records.setdefault(where, [])
        start = first if first is not None else (there[-1].offset + 1 if there else 0)
        for offset, value in enumerate(values, start):
            there.append(
                Received(
                    place=Partition(TOPIC, partition),
                    offset=offset,
                    key=key,
                    value=value,
                    headers=(("ce_id", b"\xff"),),
                    timestamp=AT,
                )
            )

    async def ensure_topics(self, specs: Sequence[TopicSpec]) -> None:
        raise NotImplementedError

    def publisher(self, *, apart: bool = False) -> "_NoPublisher":
        raise NotImplementedError

    async def behind(self, group: str, topic: str, *, before: datetime) -> bool:
        raise NotImplementedError

    async def group_lag(self, group: str) -> Mapping[Partition, int]:
        raise NotImplementedError

    def health(self) -> Health:
        raise NotImplementedError

    @asynccontextmanager
    async def subscribe(
        self,
        topics: Sequence[str],
        *,
        group: str,
        on_assigned: OnAssigned,
        on_revoked: OnRevoked,
        gather: timedelta = timedelta(),
    ) -> AsyncIterator["ScriptedLog"]:
        assert list(topics) == [TOPIC]
        assert group
        assert gather < timedelta(seconds=1)
        self.on_assigned, self.on_revoked = on_assigned, on_revoked
        await self.assign(*self.records.keys() - self.arriving)
        yield self
        await self.revoke(*self.positions)

    async def assign(self, *partitions: Partition) -> None:
        """Give partitions, to be read from where the group committed."""
        assert self.on_assigned is not None
        self.positions.update({partition: self.committed.get(partition, 0) for partition in partitions})
        await self.on_assigned(partitions)

    async def revoke(self, *partitions: Partition) -> None:
        """Take partitions away."""
        assert self.on_revoked is not None
        await self.on_revoked(partitions)
        for partition in partitions:
            del self.positions[partition]

    @property
    def assigned(self) -> Collection[Partition]:
        return self.positions.keys()

    async def fetch(
        self, *, limit: int, wait: timedelta, only: Collection[Partition] | None = None
    ) -> Sequence[Received]:
        assert wait > timedelta()
        self.on_fetch()
        if self.arriving:
            await self.assign(*self.arriving)
            self.arriving.clear()
        if self.fetch_errors:
            raise self.fetch_errors.pop(0)
        found: list[Received] = []
        for partition, position in self.positions.items():
            if only is None or partition in only:
                found += [record for record in self.records[partition] if record.offset >= position]
        found = found[:limit]
        for record in found:
            self.positions[Partition(record.topic, record.partition)] = record.offset + 1
        if not found and only is not None and len(only) == len(self.positions):
            self.on_idle()
        return found

    async def commit(self, next_offsets: Mapping[Partition, int]) -> None:
        if self.commit_errors:
            raise self.commit_errors.pop(0)
        self.committed.update(next_offsets)

    async def seek(self, next_offsets: Mapping[Partition, int]) -> None:
        self.positions.update(next_offsets)

    def hurry(self) -> None:
        self.hurried = True

    async def lag(self) -> Mapping[Partition, int]:
        raise NotImplementedError


class _NoPublisher:
    async def __aenter__(self) -> Publisher:
        raise NotImplementedError

    async def __aexit__(self, *_: object) -> None:
        raise NotImplementedError
