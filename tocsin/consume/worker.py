"""The loop: fetch, hand over, write what the handler says, and only then call a record done.

Nothing is lost wherever this stops: an offset is committed when all before it is done, and a record is done when its
settlement is durable. What cannot be written is tried again, and intake stops by itself when the window is full.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from loguru import logger

from tocsin.clock import Clock
from tocsin.consume.delay import Gate
from tocsin.consume.permits import Permits, Stream
from tocsin.consume.progress import Tracker
from tocsin.errors import CommitFenced, LogError, TocsinError
from tocsin.eventlog.port import EventLog, Subscription
from tocsin.ledger.port import Ledger, Settlement
from tocsin.record import Partition, Received

_IDLE = timedelta(milliseconds=500)
_CROWDED = timedelta(milliseconds=50)
_FETCH = 500
# What every partition may have in hand however much the others hold: what waits for hours in one retry topic must not
# keep the next one from being read, nor the fresh deliveries of any channel.
_LEAST = 32
# What could start if there were permits: some hundred milliseconds of work. More would only take memory.
_MOST_READY = 500
_FIRST_PAUSE, _LAST_PAUSE = timedelta(milliseconds=200), timedelta(seconds=5)


class Handler(Protocol):
    """What a worker does with a record. All its results are values to write."""

    def due(self, received: Received) -> datetime | None:
        """Return until when the record has to wait where it is, None if not at all. Never raises."""

    async def handle(self, received: Received) -> Settlement | None:
        """Do what the record asks for and return what to write; None if nothing is left to do for it.

        May raise a TocsinError where infrastructure failed: the record is handled again after a while.
        """

    def on_bug(self, received: Received, error: BaseException) -> Settlement:
        """Return what to write for a record whose handling raised what it never should."""

    def settled(self, received: Received, settlement: Settlement, *, effective: bool) -> None:
        """Learn that a settlement is durable, or that it had no effect since its life had ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerConfig:
    """Bounds of one worker. Bytes and records are those unfinished, per partition."""

    unfinished_records: int
    unfinished_bytes: int
    drain: timedelta
    commit_interval: timedelta
    commit_every: int


class Budget:
    """The bytes of unfinished records that the process may hold, shared by all its workers. A partition that has next
    to nothing in hand may go beyond it."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.used = 0

    @property
    def has_room(self) -> bool:
        """Whether more may be fetched than the least."""
        return self.used < self._limit


class Worker:
    """One subscription of a channel at work. A `Loop`."""

    def __init__(
        self,
        *,
        log: EventLog,
        ledger: Ledger,
        topics: Sequence[str],
        group: str,
        stream: Stream,
        handler: Handler,
        permits: Permits,
        budget: Budget,
        clock: Clock,
        config: WorkerConfig,
        on_released: Callable[[timedelta], None],
        may_take: Callable[[], bool],
    ) -> None:
        self.name = group
        self.stream = stream
        self._log = log
        self._ledger = ledger
        self._topics = topics
        self._handler = handler
        self._permits = permits
        self._budget = budget
        self._clock = clock
        self._config = config
        self._on_released = on_released
        self._may_take = may_take
        self._gate = Gate(clock=clock, open_=self._release)
        self._trackers: dict[Partition, Tracker] = {}
        self._ready: deque[Received] = deque()
        self._running: dict[asyncio.Task[None], Partition] = {}
        self._stopping = False
        self._subscription: Subscription | None = None
        self._completions = 0
        self._committed_at = clock.monotonic()
        self._committing: asyncio.Task[None] | None = None

    @property
    def pending(self) -> int:
        """Records that could start now if there were permits."""
        return len(self._ready)

    @property
    def unfinished(self) -> int:
        """Records fetched and not done."""
        return sum(tracker.unfinished for tracker in self._trackers.values())

    def stop(self) -> None:
        """See `Loop`."""
        self._stopping = True
        if self._subscription is not None:
            self._subscription.hurry()

    async def run(self) -> None:
        """See `Loop`."""
        self._permits.register(self, self._start_ready)
        try:
            async with self._log.subscribe(
                self._topics, group=self.name, on_assigned=self._on_assigned, on_revoked=self._on_revoked
            ) as subscription:
                self._subscription = subscription
                while not self._stopping:
                    await self._round(subscription)
        finally:
            await self._committed()
            self._subscription = None
            self._permits.unregister(self)

    async def _round(self, subscription: Subscription) -> None:
        limit = min(_FETCH, self._config.unfinished_records)
        open_ = [partition for partition, tracker in self._trackers.items() if tracker.has_room]
        if not self._budget.has_room:
            limit = min(limit, _LEAST)
            open_ = [partition for partition in open_ if self._trackers[partition].unfinished < _LEAST]
        if not (self._may_take() and len(self._ready) < _MOST_READY):
            open_ = []
        wait = _IDLE if len(open_) == len(self._trackers) else _CROWDED
        try:
            for received in await subscription.fetch(limit=limit, wait=wait, only=open_):
                self._take(received)
        except LogError as error:
            logger.warning("fetch_failed", group=self.name, error=str(error))
            await self._clock.sleep(_FIRST_PAUSE)
        self._start_ready()
        await self._commit_when_due()

    def _take(self, received: Received) -> None:
        tracker = self._trackers.get(received.place)
        if tracker is None:
            return
        size = received.size
        tracker.received(received.offset, size)
        self._budget.used += size
        until = self._handler.due(received)
        if until is not None and until > self._clock.now():
            self._gate.wait(received, until)
        else:
            self._ready.append(received)

    def _release(self, received: Received, due: datetime) -> None:
        self._on_released(self._clock.now() - due)
        self._ready.append(received)
        self._start_ready()

    def _start_ready(self) -> None:
        if self._stopping or not (self._ready and self._may_take()):
            return
        while self._ready and self._permits.take(self.stream):
            received = self._ready.popleft()
            tracker = self._trackers[received.place]
            task = asyncio.create_task(self._work(received, tracker), name=f"{self.name}/{received.offset}")
            self._running[task] = received.place
            task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self._permits.give(self.stream)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.opt(exception=error).critical("worker_task_failed", group=self.name)

    async def _work(self, received: Received, tracker: Tracker) -> None:
        pause = _FIRST_PAUSE
        while True:
            try:
                await self._settle(received)
                break
            except TocsinError as error:
                # The log or the store is in trouble. The record stays unfinished, and with enough of its kind the
                # window is full and intake stops; nothing is counted as an attempt.
                logger.warning("handling_postponed", group=self.name, error=str(error))
            except Exception as error:  # noqa: BLE001 - a hole that nobody works on would stop the partition for good
                logger.opt(exception=error).critical("handling_failed", group=self.name)
            await self._clock.sleep(pause)
            pause = min(pause * 2, _LAST_PAUSE)
        tracker.done(received.offset)
        self._budget.used -= received.size
        self._completions += 1

    async def _settle(self, received: Received) -> None:
        try:
            settlement = await self._handler.handle(received)
        except TocsinError:
            raise
        except (Exception, asyncio.CancelledError) as error:
            if _cancelled(error):
                raise
            # A bug of ours, or of a library that leaks its own cancellation, must not lose the record.
            logger.opt(exception=error).error("handler_failed", group=self.name)
            settlement = self._handler.on_bug(received, error)
        if settlement is not None:
            effective = await self._write(settlement)
            self._tell(received, settlement, effective=effective)

    def _tell(self, received: Received, settlement: Settlement, *, effective: bool) -> None:
        try:
            self._handler.settled(received, settlement, effective=effective)
        except Exception as error:  # noqa: BLE001 - the settlement is durable: what counts it may not undo that
            logger.opt(exception=error).critical("bookkeeping_failed", group=self.name)

    async def _write(self, settlement: Settlement) -> bool:
        """Write until it is durable: what was sent has been sent, and must not be forgotten for a full disk."""
        pause = _FIRST_PAUSE
        while True:
            try:
                return await self._ledger.settle(settlement)
            except TocsinError as error:
                logger.warning("settlement_postponed", group=self.name, error=str(error))
                await self._clock.sleep(pause)
                pause = min(pause * 2, _LAST_PAUSE)

    async def _on_assigned(self, partitions: Collection[Partition]) -> None:
        for partition in partitions:
            self._trackers[partition] = Tracker(
                max_records=self._config.unfinished_records, max_bytes=self._config.unfinished_bytes
            )

    async def _on_revoked(self, partitions: Collection[Partition]) -> None:
        """Drain first, fence second: what has not started is dropped for the next owner, what runs may finish."""
        leaving = set(partitions)
        self._gate.forget(leaving)
        self._ready = deque(received for received in self._ready if received.place not in leaving)
        running = [task for task, partition in self._running.items() if partition in leaving]
        if running:
            _, late = await asyncio.wait(running, timeout=self._config.drain.total_seconds())
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._committed()
        await self._commit(leaving)
        for partition in leaving:
            self._budget.used -= self._trackers.pop(partition).bytes

    async def _commit_when_due(self) -> None:
        """Have a commit begin if it is time for one. What comes meanwhile does not wait for it."""
        if self._committing is not None and not self._committing.done():
            return
        await self._committed()
        elapsed = self._clock.monotonic() - self._committed_at
        if self._completions >= self._config.commit_every or elapsed >= self._config.commit_interval.total_seconds():
            self._committing = asyncio.create_task(self._commit(list(self._trackers)), name=f"{self.name}/commit")

    async def _committed(self) -> None:
        """Return when the commit under way, if there is one, has ended."""
        committing, self._committing = self._committing, None
        if committing is not None:
            await committing

    async def _commit(self, partitions: Collection[Partition]) -> None:
        self._completions = 0
        self._committed_at = self._clock.monotonic()
        trackers = {p: self._trackers[p] for p in partitions if p in self._trackers}
        moved = {p: offset for p, tracker in trackers.items() if (offset := tracker.to_commit()) is not None}
        if not moved or self._subscription is None:
            return
        try:
            await self._subscription.commit(moved)
        except CommitFenced:
            logger.warning("commit_fenced", group=self.name)
        except LogError as error:
            logger.warning("commit_failed", group=self.name, error=str(error))
        else:
            for partition, offset in moved.items():
                trackers[partition].committed(offset)


def _cancelled(error: BaseException) -> bool:
    """Return whether it is this very task that is to end."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0
