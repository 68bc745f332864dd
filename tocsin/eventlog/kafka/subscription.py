"""One member of a group on Kafka: the port's promises, kept over a consumer that may be replaced underneath."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from loguru import logger

from tocsin.clock import Clock
from tocsin.errors import CommitFenced, LogUnavailable
from tocsin.eventlog.kafka.assignment import Assignment
from tocsin.eventlog.kafka.clients import Clients
from tocsin.eventlog.kafka.condition import Condition
from tocsin.eventlog.kafka.lookup import Lookup, worded
from tocsin.eventlog.kafka.member import Member, Poll
from tocsin.eventlog.kafka.placing import Placer
from tocsin.eventlog.kafka.unreadable import Suspicion
from tocsin.eventlog.kafka.watchdog import Watchdog
from tocsin.eventlog.port import Offsets, OnAssigned, OnRevoked
from tocsin.observe.metrics import Metrics
from tocsin.record import Partition, Received

# Seconds. What comes after a seek has to be fetched from the broker first; what is not there is not waited for.
_SUSPICIOUS_POLL = 0.5
_PAUSE = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a subscription waits, in seconds: for a join, for a commit, for records that do not come although they
    are there, and for an assignment after the last one went."""

    join: float
    commit: float
    stall: float
    limbo: float


class KafkaSubscription:
    """Fulfils `eventlog.port.Subscription`. Opened and closed by the log."""

    def __init__(
        self,
        clients: Clients,
        lookup: Lookup,
        topics: Sequence[str],
        *,
        group: str,
        on_assigned: OnAssigned,
        on_revoked: OnRevoked,
        gather: timedelta,
        patience: Patience,
        clock: Clock,
        condition: Condition,
        metrics: Metrics,
    ) -> None:
        self.topics = tuple(topics)
        self.group = group
        self._clients = clients
        self._lookup = lookup
        self._on_assigned = on_assigned
        self._on_revoked = on_revoked
        self._gather = gather
        self._patience = patience
        self._clock = clock
        self._metrics = metrics
        self._assignment = Assignment()
        self._placer = Placer(self._assignment, lookup, group=group, condition=condition, metrics=metrics)
        self._suspicion = Suspicion()
        self._watchdog = Watchdog(patience=patience.stall)
        self._member: Member | None = None
        self._members: set[Member] = set()  # all that have not left, one that is being replaced among them
        self._replacing: asyncio.Task[None] | None = None
        # Held while partitions are handed over: closing must not revoke what a rebalance is revoking.
        self._handover = asyncio.Lock()
        self._handing_over = False
        self._closed = False
        self._hurried = False
        self._assigned_once = asyncio.Event()
        self._limbo_since: float | None = None

    @property
    def assigned(self) -> Collection[Partition]:
        """See the port."""
        return self._assignment.partitions

    async def open(self) -> None:
        """Join the group and await the first assignment, its callback included. Raises LogUnavailable."""
        member = self._joining()
        try:
            await member.join(seconds=self._patience.join)
            async with asyncio.timeout(self._patience.join):
                await self._assigned_once.wait()
        except TimeoutError as error:
            await self.close()
            raise LogUnavailable(f"group {self.group} assigned nothing within {self._patience.join:g} s") from error
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Drain and commit, which is the owner's `on_revoked`, and only then leave: leaving tells nobody."""
        self._closed = True
        if self._replacing is not None:
            self._replacing.cancel()
            await asyncio.gather(self._replacing, return_exceptions=True)
        await self._give_up()
        for member in list(self._members):
            await self._leave(member)

    async def fetch(
        self, *, limit: int, wait: timedelta, only: Collection[Partition] | None = None
    ) -> Sequence[Received]:
        """See the port. Raises LogUnavailable where the cluster cannot be read; nothing is lost by that."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait.total_seconds()
        while True:
            if self._closed:
                raise LogUnavailable(f"the subscription of {self.group} is closed")
            await self._place()
            await self._placer.look_into_gaps()
            await self._watch()
            open_ = self._open(only)
            if records := self._assignment.take(open_, limit):
                return records
            patience = 0.0 if self._hurried else max(0.0, deadline - loop.time())
            await self._poll(open_, limit=limit, seconds=patience)
            if not self._assignment.gaps() and (records := self._assignment.take(self._open(only), limit)):
                return records
            if self._hurried or loop.time() >= deadline:
                return ()

    def hurry(self) -> None:
        """See the port. A poll under way brings what it brings."""
        self._hurried = True

    async def commit(self, next_offsets: Offsets) -> None:
        """See the port."""
        self._fence(next_offsets)
        if any(partition in self._assignment.unplaced() for partition in next_offsets):
            await self._place()
            self._fence(next_offsets)
        epoch, moved = self._assignment.epoch, {}
        for partition, offset in next_offsets.items():
            place = self._assignment.place(partition)
            if place is not None and offset > (place.committed or 0):
                moved[partition] = offset
        if not moved:
            return
        if self._member is None:
            raise CommitFenced(f"{self.group} has no consumer at this moment")
        await self._member.commit(moved, seconds=self._patience.commit)
        if self._assignment.epoch == epoch:
            for partition, offset in moved.items():
                if (place := self._assignment.place(partition)) is not None:
                    place.committed = max(offset, place.committed or 0)

    async def seek(self, next_offsets: Offsets) -> None:
        """See the port."""
        for partition, offset in next_offsets.items():
            if (place := self._assignment.place(partition)) is not None:
                place.seek(offset)

    async def lag(self) -> Mapping[Partition, int]:
        """See the port. Raises LogUnavailable."""
        mine = list(self._assignment.partitions)
        return await self._lookup.lag(mine, await self._lookup.committed(self.group, mine)) if mine else {}

    def _fence(self, next_offsets: Offsets) -> None:
        foreign = [partition for partition in next_offsets if self._assignment.place(partition) is None]
        if foreign:
            raise CommitFenced(f"{len(foreign)} of the partitions are not assigned to this member of {self.group}")

    def _open(self, only: Collection[Partition] | None) -> list[Partition]:
        if self._handing_over:
            return []
        return [p for p, place in self._assignment.items() if place.placed and (only is None or p in only)]

    async def _place(self) -> None:
        # While partitions are handed over, their owner may yet say where it wants to begin.
        if self._member is not None and not self._handing_over:
            await self._placer.place(self._member)

    # Polling.

    async def _poll(self, open_: Sequence[Partition], *, limit: int, seconds: float) -> None:
        """Let one poll bring what it brings into the places. Raises LogUnavailable."""
        member = self._member
        if member is None:
            await asyncio.sleep(min(seconds, _PAUSE.total_seconds()))
            return
        asked, most = self._suspicion.ask(open_, limit)
        patience = _SUSPICIOUS_POLL if self._suspicion.active else seconds
        self._watchdog.asked(open_, self._clock.monotonic())
        poll = await member.poll(list(asked), limit=most, seconds=patience)
        if poll is None or member is not self._member:
            return
        if poll.error is not None:
            self._failed(member, poll, poll.error)
        else:
            self._accept(member, poll)

    def _accept(self, member: Member, poll: Poll) -> None:
        now = self._clock.monotonic()
        for partition, records in poll.found.items():
            place = self._assignment.place(partition)
            if place is None or not records:
                continue
            self._watchdog.brought(partition, now)
            if not place.accept(records, poll=poll.number) and place.placed:
                # aiokafka has moved past what we do not take.
                member.seek(partition, place.next)
        self._suspicion.answered(poll.asked, empty=not poll.found)

    def _failed(self, member: Member, poll: Poll, error: Exception) -> None:
        """What the poll had taken of other partitions is gone with the error: go back to where we stand, everywhere."""
        if isinstance(error, UnicodeDecodeError):
            partition = self._suspicion.raised(poll.asked, poll.limit)
            if partition is not None and (place := self._assignment.place(partition)) is not None:
                self._metrics.log_unreadable(self.group).inc()
                source = f"{partition.topic}/{partition.number}/{place.next}"
                logger.critical("record_unreadable", group=self.group, source=source, error=type(error).__name__)
                place.next += 1
        for partition, place in self._assignment.items():
            if place.placed:
                member.seek(partition, place.next)
        if not isinstance(error, UnicodeDecodeError):
            raise LogUnavailable(f"group {self.group} cannot fetch: {worded(error)}") from error

    # Rebalances.

    def _joining(self) -> Member:
        """Make a member whose callbacks count only while it is ours."""

        async def assigned(partitions: Collection[Partition]) -> None:
            if self._member is member:
                await self._take_over(partitions)

        async def revoked(_: Collection[Partition]) -> None:
            if self._member is member:
                await self._give_up()

        member = Member(
            self._clients,
            self.topics,
            group=self.group,
            on_assigned=assigned,
            on_revoked=revoked,
            gather=self._gather,
        )
        self._member = member
        self._members.add(member)
        return member

    async def _leave(self, member: Member) -> None:
        if self._member is member:
            self._member = None
        await member.leave()
        self._members.discard(member)

    async def _take_over(self, partitions: Collection[Partition]) -> None:
        async with self._handover:
            if self._closed:
                return
            self._assignment.give(partitions)
            self._handing_over = True
            try:
                if partitions:
                    await self._on_assigned(partitions)
            finally:
                self._handing_over = False
                self._limbo_since = None
                self._assigned_once.set()

    async def _give_up(self) -> None:
        """Give all away: with aiokafka's eager protocol nobody knows yet what will come back."""
        async with self._handover:
            held = list(self._assignment.partitions)
            self._handing_over = True
            try:
                if held:
                    await self._on_revoked(held)
            finally:
                self._handing_over = False
                self._assignment.clear()
                self._suspicion.forget()
                self._limbo_since = self._clock.monotonic()

    # Watching over the consumer.

    async def _watch(self) -> None:
        """Replace a consumer that brings nothing although there is something, or that waits for ever to be assigned."""
        if self._replacing is not None:
            if not self._replacing.done():
                return
            ended, self._replacing = self._replacing, None
            ended.result()
        now = self._clock.monotonic()
        if self._limbo_since is not None and now - self._limbo_since >= self._patience.limbo:
            self._replace("nothing was assigned")
            return
        silent = {p: place for p in self._watchdog.silent(now) if (place := self._assignment.place(p)) is not None}
        if not silent:
            return
        self._watchdog.pardon(silent.keys(), now)
        try:
            ends = await self._lookup.ends(silent.keys())
        except LogUnavailable as error:
            # The cluster is in trouble, and another consumer would be in the same.
            logger.warning("watchdog_blind", group=self.group, error=str(error))
            return
        stalled = [partition for partition, place in silent.items() if ends[partition] > place.next]
        if stalled:
            self._replace(f"{len(stalled)} partitions brought nothing of what they have")

    def _replace(self, why: str) -> None:
        logger.error("consumer_stalled", group=self.group, detail=why)
        self._metrics.log_rebuilds("consumer").inc()
        self._replacing = asyncio.create_task(self._replacement(), name=f"{self.group}/replacement")

    async def _replacement(self) -> None:
        await self._give_up()
        if self._member is not None:
            await self._leave(self._member)
        while True:
            member = self._joining()
            try:
                await member.join(seconds=self._patience.join)
            except LogUnavailable as error:
                logger.warning("consumer_not_made", group=self.group, error=str(error))
                await self._leave(member)
                await self._clock.sleep(_PAUSE)
            else:
                return
