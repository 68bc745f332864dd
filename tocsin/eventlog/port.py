"""What an event log promises. `tests/contract/test_eventlog.py` is the executable half of this page.

Records go to a partition by murmur2 of their key. Within a partition, order is kept and offsets only grow (gaps are
allowed). A group has one committed offset a partition, the next to read; each partition is assigned to one
subscription of the group at a time.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from tocsin.record import Partition, Received, Record
from tocsin.topics import TopicSpec

Offsets = Mapping[Partition, int]
OnAssigned = Callable[[Collection[Partition]], Awaitable[None]]
OnRevoked = Callable[[Collection[Partition]], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Whether the log takes writes at all, and whether it takes new work. `detail` says why not."""

    writable: bool
    accepting: bool
    detail: str = ""


class Publisher(Protocol):
    """Writes records."""

    async def write(self, records: Sequence[Record]) -> None:
        """Return when all the records are durable; of one call, all or none are.

        Raises LogUnavailable if they could not be made durable. Cancelling the call does not take the records back.
        """


class Subscription(Protocol):
    """One member of a group. All methods belong to the one loop that opened it."""

    @property
    def assigned(self) -> Collection[Partition]:
        """The partitions that this subscription owns now."""

    async def fetch(
        self, *, limit: int, wait: timedelta, only: Collection[Partition] | None = None
    ) -> Sequence[Received]:
        """Return up to `limit` next records, waiting at most `wait` for the first; empty if there are none.

        `only` leaves partitions out for this call: what lies there is not lost, it comes with a later fetch. Each
        record comes once per assignment, in the order of its partition. Never cancel a fetch.
        """

    async def commit(self, next_offsets: Offsets) -> None:
        """Store for the group, durably, the next offset to read of each partition. It never goes back.

        Raises CommitFenced, and stores nothing, if any of the partitions is not assigned to this subscription.
        """

    async def seek(self, next_offsets: Offsets) -> None:
        """Read on from these offsets: for sinks that keep their own. Ignores what is not assigned."""

    def hurry(self) -> None:
        """Let no fetch wait from now on: the reader is about to stop. One under way ends early where the log can."""

    async def lag(self) -> Mapping[Partition, int]:
        """Return, for each assigned partition, how many records lie after the committed offset."""


class EventLog(Protocol):
    """A log, open for use."""

    @property
    def identity(self) -> str:
        """What tells this log from any other. Offsets that a sink keeps are of one log, and mean nothing in another."""

    async def ensure_topics(self, specs: Sequence[TopicSpec]) -> None:
        """Make sure that the topics are there as specified. Raises TopicMismatch."""

    def publisher(self, *, apart: bool = False) -> AbstractAsyncContextManager[Publisher]:
        """Open a publisher. The writes of one that is `apart` wait for nobody else's, where the log has them queue."""

    def subscribe(
        self,
        topics: Sequence[str],
        *,
        group: str,
        on_assigned: OnAssigned,
        on_revoked: OnRevoked,
        gather: timedelta = timedelta(),
    ) -> AbstractAsyncContextManager[Subscription]:
        """Join a group. Leaving the context leaves the group, after `on_revoked` of what was assigned.

        A reader for whom nobody waits may let the log `gather` records for so long, where it would else bring each by
        itself.

        `on_revoked` is awaited before a partition goes to another member and may still commit it: drain first, fence
        second. `on_assigned` is awaited before the first fetch that may return its records. A group that has never
        committed starts at the oldest record.
        """

    async def group_lag(self, group: str) -> Mapping[Partition, int]:
        """Return a group's lag, whoever owns its partitions."""

    async def behind(self, group: str, topic: str, *, before: datetime) -> bool:
        """Return whether the group has yet to pass a record of the topic that was written before this moment.

        Raises LogUnavailable.
        """

    def health(self) -> Health:
        """Return what the log can take right now, without I/O."""
