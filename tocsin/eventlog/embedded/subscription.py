"""One member of a group on the embedded log: positions, fetches and fenced commits."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Protocol

from tocsin.errors import CommitFenced
from tocsin.eventlog.embedded.reader import Want
from tocsin.eventlog.port import Offsets, OnAssigned, OnRevoked
from tocsin.record import Partition, Received


class Shelf(Protocol):
    """What a subscription needs of its log."""

    def tail(self, partition: Partition) -> int:
        """Return the next offset to be written, as far as it is durable."""

    def want(self, partition: Partition, start: int, limit: int) -> Want:
        """Return the stretch from `start` to the tail."""

    async def read(self, wants: Sequence[Want]) -> Sequence[Sequence[Received]]:
        """Read records, those of each stretch by themselves."""

    async def commit(self, group: str, next_offsets: Offsets) -> None:
        """Commit, in its place among all writes as of the call."""

    def committed(self, group: str, partition: Partition) -> int:
        """Return the group's committed offset."""


class EmbeddedSubscription:
    """Fulfils `eventlog.port.Subscription`, and `groups.Member`."""

    def __init__(
        self, shelf: Shelf, topics: Sequence[str], *, group: str, on_assigned: OnAssigned, on_revoked: OnRevoked
    ) -> None:
        self.topics = tuple(topics)
        self._shelf = shelf
        self.group = group
        self._on_assigned = on_assigned
        self._on_revoked = on_revoked
        self._positions: dict[Partition, int] = {}
        self._leaving: set[Partition] = set()
        self._changed = asyncio.Event()
        self._hurried = False
        self._turn = 0

    @property
    def assigned(self) -> Collection[Partition]:
        """The partitions that this subscription owns now."""
        return self._positions.keys()

    def wake(self) -> None:
        """Let a waiting fetch look again: records were written, or the assignment changed."""
        self._changed.set()

    async def fetch(
        self, *, limit: int, wait: timedelta, only: Collection[Partition] | None = None
    ) -> Sequence[Received]:
        """See the port."""
        deadline = asyncio.get_running_loop().time() + wait.total_seconds()
        while True:
            self._changed.clear()
            if wants := self._wants(limit, only):
                if records := self._advance(wants, await self._shelf.read(wants)):
                    return records
                continue
            if self._hurried or not await _happens(self._changed, deadline):
                return ()

    async def commit(self, next_offsets: Offsets) -> None:
        """See the port."""
        foreign = [partition for partition in next_offsets if partition not in self._positions]
        if foreign:
            raise CommitFenced(f"{len(foreign)} of the partitions are not assigned to this member of {self.group}")
        if next_offsets:
            await self._shelf.commit(self.group, dict(next_offsets))

    async def seek(self, next_offsets: Offsets) -> None:
        """See the port."""
        for partition, offset in next_offsets.items():
            if partition in self._positions:
                self._positions[partition] = offset
        self.wake()

    def hurry(self) -> None:
        """See the port."""
        self._hurried = True
        self.wake()

    async def lag(self) -> Mapping[Partition, int]:
        """See the port."""
        tail, committed = self._shelf.tail, self._shelf.committed
        return {p: max(0, tail(p) - committed(self.group, p)) for p in self._positions}

    async def take_away(self, partitions: Collection[Partition]) -> None:
        """See `groups.Member`."""
        self._leaving |= set(partitions)
        try:
            await self._on_revoked(partitions)
        finally:
            self._leaving -= set(partitions)
            for partition in partitions:
                del self._positions[partition]

    async def give(self, positions: dict[Partition, int]) -> None:
        """See `groups.Member`."""
        self._leaving |= set(positions)
        self._positions.update(positions)
        try:
            await self._on_assigned(positions.keys())
        finally:
            self._leaving -= set(positions)
            self.wake()

    def _wants(self, limit: int, only: Collection[Partition] | None) -> list[Want]:
        """Return what there is to read, each partition with its fair part of the limit, beginning with another
        partition each time."""
        ready = [
            partition
            for partition, position in self._positions.items()
            if position < self._shelf.tail(partition)
            and partition not in self._leaving
            and (only is None or partition in only)
        ]
        if not ready:
            return []
        self._turn = (self._turn + 1) % len(ready)
        turned = (ready[self._turn :] + ready[: self._turn])[:limit]
        share = limit // len(turned)
        return [self._shelf.want(partition, self._positions[partition], share) for partition in turned]

    def _advance(self, wants: Sequence[Want], stretches: Sequence[Sequence[Received]]) -> list[Received]:
        """Move the positions past what was read, and drop that whose partition left or was moved meanwhile."""
        deleted = not any(stretches)
        kept: list[Received] = []
        for want, records in zip(wants, stretches, strict=True):
            if want.partition in self._leaving or self._positions.get(want.partition) != want.start:
                continue
            if records:
                self._positions[want.partition] = records[-1].offset + 1
                kept += records
            elif deleted:
                # A sink that keeps its own offsets may ask for what is no more.
                self._positions[want.partition] = want.end
        return kept


async def _happens(event: asyncio.Event, deadline: float) -> bool:
    """Wait for the event until the deadline (of the loop's time); return whether it happened."""
    try:
        async with asyncio.timeout_at(deadline):
            await event.wait()
    except TimeoutError:
        return False
    return True
