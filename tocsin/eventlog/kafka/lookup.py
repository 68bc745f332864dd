"""Asks the cluster: topics, offsets, commits. Every question is bounded in time, and none belongs to a group member.

The clients are others than those that read and write: what a consumer that hangs has to say is no evidence about it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import TypeVar

from tocsin.clock import to_ms
from tocsin.errors import LogUnavailable
from tocsin.eventlog.kafka.clients import Clients
from tocsin.eventlog.kafka.driver import (
    Admin,
    ClusterAuthorizationFailedError,
    Consumer,
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    KafkaError,
    TopicAuthorizationFailedError,
    named,
)
from tocsin.record import Partition

T = TypeVar("T")

FORBIDDEN = (TopicAuthorizationFailedError, GroupAuthorizationFailedError, ClusterAuthorizationFailedError)


class Lookup:
    """All methods raise LogUnavailable where the cluster does not answer in time."""

    def __init__(self, admin: Admin, observer: Consumer, *, seconds: float) -> None:
        self._admin = admin
        self._observer = observer
        self._seconds = seconds

    async def identity(self) -> str:
        """Return the cluster's id."""
        found = await self._answer(self._admin.describe_cluster())
        return str(found["cluster_id"])

    async def topics(self) -> Mapping[str, int]:
        """Return every topic and its number of partitions."""
        return {each["topic"]: len(each["partitions"]) for each in await self._answer(self._admin.describe_topics())}

    async def beginnings(self, partitions: Collection[Partition]) -> dict[Partition, int]:
        """Return the oldest offset of each partition."""
        found = await self._answer(self._observer.beginning_offsets([named(p) for p in partitions]))
        return {Partition(*p): offset for p, offset in found.items()}

    async def ends(self, partitions: Collection[Partition]) -> dict[Partition, int]:
        """Return the next offset to be written of each partition."""
        found = await self._answer(self._observer.end_offsets([named(p) for p in partitions]))
        return {Partition(*p): offset for p, offset in found.items()}

    async def written_from(self, partitions: Collection[Partition], moment: datetime) -> dict[Partition, int]:
        """Return the offset of the first record of each partition that is no older; without one, that of the next."""
        if not partitions:
            return {}
        # Asked first: what is written between the two questions is younger than any moment, and not beyond its own end.
        ends = await self.ends(partitions)
        found = await self._answer(self._observer.offsets_for_times({named(p): to_ms(moment) for p in partitions}))
        return ends | {Partition(*p): each.offset for p, each in found.items() if each is not None}

    async def committed(self, group: str, partitions: Collection[Partition] | None = None) -> dict[Partition, int]:
        """Return what a group has committed, of these partitions or of all; those without a commit are left out."""
        wanted = None if partitions is None else [named(p) for p in partitions]
        found = await self._answer(self._admin.list_consumer_group_offsets(group, partitions=wanted))
        return {Partition(*p): each.offset for p, each in found.items() if each.offset >= 0}

    async def lag(self, partitions: Collection[Partition], committed: Mapping[Partition, int]) -> dict[Partition, int]:
        """Return how many records lie after the commit; where there is none, all that the partition has."""
        if not partitions:
            return {}
        ends, beginnings = await asyncio.gather(self.ends(partitions), self.beginnings(partitions))
        return {p: max(0, ends[p] - max(committed.get(p, 0), beginnings[p])) for p in partitions}

    async def _answer(self, question: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self._seconds):
                return await question
        except TimeoutError as error:
            raise LogUnavailable(f"Kafka gave no answer within {self._seconds:g} s") from error
        except (KafkaError, OSError) as error:
            raise LogUnavailable(f"Kafka cannot be asked: {worded(error)}") from error


@asynccontextmanager
async def opened(clients: Clients, *, seconds: float) -> AsyncIterator[Lookup]:
    """Open the clients that ask. Raises LogUnavailable."""
    async with AsyncExitStack() as stack:
        admin, observer = clients.admin(), clients.observer()
        stack.push_async_callback(admin.close)
        stack.push_async_callback(observer.stop)
        try:
            async with asyncio.timeout(seconds):
                await admin.start()
                await observer.start()
        except (KafkaError, OSError) as error:
            raise LogUnavailable(f"Kafka cannot be reached: {await told(clients, error)}") from error
        yield Lookup(admin, observer, seconds=seconds)


async def told(clients: Clients, error: BaseException) -> str:
    """Return an error at the first word to a cluster: where none of its brokers lets us in, with what is wrong."""
    found = await clients.trouble() if isinstance(error, KafkaConnectionError | TimeoutError) else ""
    return found or worded(error)


def worded(error: BaseException) -> str:
    """Return an error in words: many of aiokafka's have none but their name."""
    if isinstance(error, KafkaConnectionError):
        return "no broker can be reached (kafka.bootstrap_servers)"
    if isinstance(error, FORBIDDEN):
        return (
            f"{type(error).__name__}: the cluster does not allow that to us (kafka.username); docs/cluster.md lists "
            "what we need"
        )
    name = type(error).__name__
    text = str(error)
    return text if name in text else f"{name}: {text}" if text else name
