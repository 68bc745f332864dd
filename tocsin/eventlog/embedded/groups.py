"""Who reads what: the members of each group, and how partitions pass between them.

A partition passes in order: its owner is told (and may still commit), then it is taken away, then it is given to the
new owner, who starts at the group's committed offset. Commits and that look-up go through the one writer, so none can
overtake the other.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from loguru import logger

from tocsin.errors import LogError
from tocsin.record import Partition

Positions = Callable[[str, Collection[Partition]], Awaitable[dict[Partition, int]]]


class Member(Protocol):
    """One subscription, as its group sees it."""

    @property
    def topics(self) -> Sequence[str]:
        """The topics it subscribed to."""

    @property
    def assigned(self) -> Collection[Partition]:
        """What it owns."""

    async def take_away(self, partitions: Collection[Partition]) -> None:
        """Let it drain and commit the partitions, then take them away."""

    async def give(self, positions: dict[Partition, int]) -> None:
        """Give it partitions, each to be read from its position."""


@dataclass(slots=True)
class Group:
    """A group's members, in the order in which they joined."""

    name: str
    members: list[Member] = field(default_factory=list)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


def shares(members: Sequence[Member], partitions: Iterable[Partition]) -> list[set[Partition]]:
    """Return what each member is to own: each partition goes to one of those that subscribed to its topic."""
    owned: list[set[Partition]] = [set() for _ in members]
    for partition in partitions:
        takers = [i for i, member in enumerate(members) if partition.topic in member.topics]
        if takers:
            owned[takers[partition.number % len(takers)]].add(partition)
    return owned


class Groups:
    """All groups of one log."""

    def __init__(self, *, partitions: Callable[[], Iterable[Partition]], positions: Positions) -> None:
        self._partitions = partitions
        self._positions = positions
        self._groups: dict[str, Group] = {}

    async def join(self, name: str, member: Member) -> None:
        """Add a member and share out anew. A member that cannot be given its share is not added."""
        group = self._groups.setdefault(name, Group(name))
        async with group.lock:
            group.members.append(member)
            try:
                await self._rebalance(group)
            except BaseException:
                group.members.remove(member)
                await self._without(group, member)
                raise

    async def leave(self, name: str, member: Member) -> None:
        """Let the member drain, remove it, and share out anew what it had."""
        group = self._groups[name]
        async with group.lock:
            group.members.remove(member)
            await self._without(group, member)

    async def repair(self) -> None:
        """Share out what nobody owns because sharing out failed: to be called now and then. Raises LogUnavailable."""
        for group in self._groups.values():
            if not group.lock.locked():
                async with group.lock:
                    await self._rebalance(group)

    async def _without(self, group: Group, member: Member) -> None:
        """Take everything away from a member that is no more, and share it out as far as that can be done now."""
        try:
            await member.take_away(set(member.assigned))
        finally:
            try:
                await self._rebalance(group)
            except LogError as error:
                logger.error("rebalance_failed", group=group.name, error=str(error))

    async def _rebalance(self, group: Group) -> None:
        targets = shares(group.members, self._partitions())
        for member, target in zip(group.members, targets, strict=True):
            if lost := set(member.assigned) - target:
                await member.take_away(lost)
        for member, target in zip(group.members, targets, strict=True):
            if gained := target - set(member.assigned):
                await member.give(await self._positions(group.name, gained))
