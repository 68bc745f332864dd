"""Hears receipts out of the log, where the process that providers call back is not the one that sends.

The processes of a group share the receipts out among them, so each hears a part. That is enough: what counts is which
part of them tells of failures, and that is much the same in any part.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import timedelta

from loguru import logger

from tocsin import envelope, receipts, topics
from tocsin.clock import Clock
from tocsin.consume.stopping import Stop
from tocsin.consume.trouble import Trouble
from tocsin.errors import CommitFenced, LogError
from tocsin.eventlog.port import EventLog, Subscription
from tocsin.receipts import Verdict
from tocsin.record import Partition, Received, header

_WAIT = timedelta(milliseconds=500)
_LIMIT = 1000
# What was told before says nothing of now: a group that is new, or was away, reads past it.
_RECENT = timedelta(minutes=5)
_COMMIT_SECONDS = 5.0
_TYPES = frozenset(event.encode() for event in receipts.TELLING)


class Hearing:
    """A `consume.loop.Loop` over the audit. `hear` is called with what each receipt says of its provider."""

    name = "channels.receipts"

    def __init__(self, *, log: EventLog, clock: Clock, hear: Callable[[Verdict], None]) -> None:
        self._log = log
        self._clock = clock
        self._hear = hear
        self._group = topics.hearing_group()
        self._stop = Stop(clock)
        self._trouble = Trouble(self._stop, group=self._group)
        self._next: dict[Partition, int] = {}
        self._committed_at = clock.monotonic()

    def stop(self) -> None:
        """See the contract."""
        self._stop.request()

    async def run(self) -> None:
        """See the contract."""
        async with self._log.subscribe(
            [topics.AUDIT],
            group=self._group,
            on_assigned=self._on_assigned,
            on_revoked=self._on_revoked,
            gather=_WAIT,
        ) as subscription:
            self._stop.hurries(subscription)
            while not self._stop.requested:
                try:
                    await self._round(subscription)
                    self._trouble.over()
                except LogError as error:
                    await self._trouble.met(error)

    async def _round(self, subscription: Subscription) -> None:
        for received in await subscription.fetch(limit=_LIMIT, wait=_WAIT):
            self._take(received)
            self._next[received.place] = received.offset + 1
        if self._next and self._clock.monotonic() - self._committed_at >= _COMMIT_SECONDS:
            self._committed_at = self._clock.monotonic()
            told, self._next = self._next, {}
            await self._commit(subscription, told)

    async def _commit(self, subscription: Subscription, told: Mapping[Partition, int]) -> None:
        try:
            await subscription.commit(told)
        except CommitFenced:
            logger.debug("commit_fenced", group=self._group)

    def _take(self, received: Received) -> None:
        if header(received.headers, "ce_type") not in _TYPES:
            return
        if received.timestamp < self._clock.now() - _RECENT:
            return
        try:
            verdict = receipts.verdict(envelope.audit_event(received.value))
        except (ValueError, OverflowError, RecursionError) as error:
            # The audit quarantines it; here it is only passed.
            logger.debug("receipt_not_read", error=type(error).__name__)
            return
        if verdict is not None:
            self._hear(verdict)

    async def _on_assigned(self, partitions: Collection[Partition]) -> None:
        pass

    async def _on_revoked(self, partitions: Collection[Partition]) -> None:
        # To read some of it again does no harm, so it is not committed in a hurry.
        for partition in partitions:
            self._next.pop(partition, None)
