"""One consumer as a member of a group: joining, one poll at a time, bounded commits, leaving.

A poll is never cancelled: one cancelled `getmany` stops aiokafka's own check of the poll interval for good. It runs in
a task of its own; while a rebalance holds it up, its caller goes on and finds it again later.
"""

import asyncio
import contextlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from tocsin.clock import from_ms
from tocsin.errors import CommitFenced, LogUnavailable
from tocsin.eventlog.kafka import ending
from tocsin.eventlog.kafka.clients import Clients
from tocsin.eventlog.kafka.driver import (
    CommitFailedError,
    Consumer,
    Fetched,
    IllegalStateError,
    KafkaError,
    Listener,
    OnPartitions,
    named,
)
from tocsin.eventlog.kafka.lookup import worded
from tocsin.eventlog.port import Offsets
from tocsin.record import Partition, Received, shared

# Nobody is ever assigned it. `getmany()` with no partitions would mean all of them.
_SENTINEL = Partition("tocsin-none", 0)
_STOP_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """A poll that has ended: what was asked, and what came. `error` is what it raised instead."""

    number: int
    asked: Sequence[Partition]
    limit: int
    found: Mapping[Partition, Sequence[Received]]
    error: Exception | None = None


class Member:
    """Not to be joined twice. After `leave` its callbacks are never called again."""

    def __init__(
        self,
        clients: Clients,
        topics: Sequence[str],
        *,
        group: str,
        on_assigned: OnPartitions,
        on_revoked: OnPartitions,
        gather: timedelta,
    ) -> None:
        self._consumer: Consumer = clients.consumer(group, gather=gather)
        self._group = group
        self._consumer.subscribe(topics, listener=Listener(on_assigned=on_assigned, on_revoked=on_revoked))
        self._polling: asyncio.Task[Mapping[tuple[str, int], Sequence[Fetched]]] | None = None
        self._asked: tuple[Sequence[Partition], int] = ((), 0)
        self._polls = 0

    @property
    def following(self) -> int:
        """The number of the next poll that will be started."""
        return self._polls + 1

    async def join(self, *, seconds: float) -> None:
        """Join the group and return when it has assigned something, or nothing. Raises LogUnavailable."""
        try:
            async with asyncio.timeout(seconds):
                await self._consumer.start()
        except TimeoutError as error:
            raise LogUnavailable(f"group {self._group} could not be joined within {seconds:g} s") from error
        except (KafkaError, OSError) as error:
            raise LogUnavailable(f"group {self._group} cannot be joined: {worded(error)}") from error

    async def poll(self, partitions: Sequence[Partition], *, limit: int, seconds: float) -> Poll | None:
        """Return what a poll brought; None if it is held up, and then a later call returns it.

        Polls with no partitions too: who does not poll is thrown out of the group.
        """
        if self._polling is None:
            self._polls += 1
            self._asked = (partitions, limit)
            wanted = [named(partition) for partition in partitions] or [named(_SENTINEL)]
            timeout = math.ceil(seconds * 1000)
            self._polling = asyncio.create_task(
                self._consumer.getmany(*wanted, timeout_ms=timeout, max_records=limit), name=f"{self._group}/poll"
            )
        polling = self._polling
        await asyncio.wait([polling], timeout=seconds + 0.001)
        if not polling.done() or polling.cancelled() or polling is not self._polling:
            return None  # held up, or of a consumer that has left meanwhile
        self._polling = None
        asked, limit = self._asked
        error = polling.exception()
        if error is not None and not isinstance(error, Exception):
            raise error
        came = {} if error is not None else polling.result()
        fetched = {Partition(*p): records for p, records in came.items()}
        found = {place: [_received(place, each) for each in records] for place, records in fetched.items()}
        return Poll(number=self._polls, asked=asked, limit=limit, found=found, error=error)

    def seek(self, partition: Partition, offset: int) -> None:
        """Read on from an offset. Does nothing for a partition that has just been taken away."""
        with contextlib.suppress(IllegalStateError):
            self._consumer.seek(named(partition), offset)

    async def commit(self, next_offsets: Offsets, *, seconds: float) -> None:
        """Commit. Raises CommitFenced, LogUnavailable."""
        try:
            async with asyncio.timeout(seconds):
                await self._consumer.commit({named(p): offset for p, offset in next_offsets.items()})
        except (CommitFailedError, IllegalStateError) as error:
            raise CommitFenced(f"group {self._group} has given the partitions to somebody else") from error
        except TimeoutError as error:
            raise LogUnavailable(f"a commit of {self._group} was not confirmed within {seconds:g} s") from error
        except KafkaError as error:
            raise LogUnavailable(f"a commit of {self._group} failed: {worded(error)}") from error

    async def leave(self) -> None:
        """Leave the group at once, so that nobody waits for the session to end. Tells nobody of revoked partitions."""
        await ending.bounded(self._consumer.stop(), seconds=_STOP_SECONDS, what=f"consumer of {self._group}")
        polling, self._polling = self._polling, None
        if polling is not None:
            await asyncio.wait([polling], timeout=1)
            polling.cancel()  # the consumer is no more: nothing is left that this could harm
            await asyncio.gather(polling, return_exceptions=True)


def _received(place: Partition, record: Fetched) -> Received:
    return Received(
        place=place,
        offset=record.offset,
        key=record.key,
        value=record.value or b"",
        headers=shared((name, value or b"") for name, value in record.headers),
        timestamp=from_ms(record.timestamp),
    )
