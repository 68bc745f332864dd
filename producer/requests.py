"""From the log into the gateway: submits by requests, and by events that rules are for, whichever log it is.

An offset is committed once what became of its record is durable: the deliveries of a notification, or the dead letter
and the event of a refusal. A record that is read again after a crash finds its idempotency key taken, or writes the
same letter once more; so it is never sent twice and never lost. While the log takes no work nothing is passed: the
records wait in hand, and then in their topic.
"""

import asyncio
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from loguru import logger

from producer import refusal, request
from producer.request import Ask, Refusal, Request
from producer.submit import KeyBusy, Result, Submitter, Taken
from tocsin.clock import Clock
from tocsin.consume.stopping import Stop
from tocsin.consume.trouble import Trouble
from tocsin.deadletter import Reason
from tocsin.delivery import TENANT
from tocsin.errors import CommitFenced, TocsinError
from tocsin.eventlog.port import EventLog, Publisher, Subscription
from tocsin.record import Partition, Received, Record

_FETCH = 200
_WAIT = timedelta(milliseconds=500)
# Of one submit, about. Checking is work that keeps the event loop from everybody else.
_SLICE_BYTES = 1024 * 1024

Outcome = Taken | Refusal


class KeysBusy(TocsinError):
    """The first submits of some idempotency keys have not ended: whether theirs is the same is not known yet."""


class Reader(Protocol):
    """Says what a record asks for."""

    def asks(self, received: Received) -> Sequence[Ask]:
        """Return a submit or a refusal for each thing that it asks for; nothing, where it is passed by.

        Called again where something was not durable. An exception is a bug, and refuses the record.
        """


class Tally(Protocol):
    """Counts what became of a record once that is durable."""

    def count(self, outcomes: Sequence[tuple[Ask, Outcome]]) -> None:
        """Count one record: its asks with what became of each, none of one that was passed by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """Where records come from, who reads them and who counts them. `name` is the loop's.

    `at_once` is how many records are settled together at most. Where a record is `slow` to read, the others have their
    turn after each; else there is none, since a turn of a busy loop takes far longer than the record does.
    """

    name: str
    topics: Sequence[str]
    group: str
    reader: Reader
    tally: Tally
    at_once: int = _FETCH
    slow: bool = False


class Requests:
    """The loop. Fulfils `tocsin.consume.loop.Loop`."""

    def __init__(
        self,
        intake: Intake,
        *,
        log: EventLog,
        publisher: Publisher,
        submitter: Submitter,
        clock: Clock,
        max_record_bytes: int,
    ) -> None:
        self.name = intake.name
        self._intake = intake
        self._log = log
        self._publisher = publisher
        self._submitter = submitter
        self._clock = clock
        self._max_record_bytes = max_record_bytes
        self._stop = Stop(clock)
        self._trouble = Trouble(self._stop, group=intake.group)
        # Held while records are settled and committed: a partition is not given away in the middle of that.
        self._busy = asyncio.Lock()
        self._hand: deque[Received] = deque()
        # What is settled, and the log has not taken the commit of yet.
        self._untold: dict[Partition, int] = {}

    @property
    def healthy(self) -> bool:
        """Whether the last thing that was tried worked."""
        return not self._trouble.detail

    @property
    def detail(self) -> str:
        """Why it is not healthy, else empty."""
        return self._trouble.detail

    def stop(self) -> None:
        """See `Loop`. What is in hand and not settled comes again with the next start."""
        self._stop.request()

    async def run(self) -> None:
        """See `Loop`."""
        async with self._log.subscribe(
            self._intake.topics,
            group=self._intake.group,
            on_assigned=self._on_assigned,
            on_revoked=self._on_revoked,
        ) as subscription:
            self._stop.hurries(subscription)
            while not self._stop.requested:
                await self._round(subscription)

    async def _round(self, subscription: Subscription) -> None:
        try:
            if not self._hand:
                # In two steps: a rebalance during the fetch puts another hand in place of this one.
                fetched = await subscription.fetch(limit=_FETCH, wait=_WAIT)
                self._hand.extend(fetched)
            async with self._busy:
                await self._settle(self._slice())
                await self._tell_log(subscription)
        except TocsinError as error:
            await self._trouble.met(error)
        else:
            self._trouble.over()

    async def _on_assigned(self, partitions: Collection[Partition]) -> None:
        """Nothing is kept of a partition beyond its records in hand, so there is nothing to prepare."""

    async def _on_revoked(self, partitions: Collection[Partition]) -> None:
        async with self._busy:
            self._hand = deque(received for received in self._hand if received.place not in partitions)
            for partition in partitions:
                self._untold.pop(partition, None)

    def _slice(self) -> Sequence[Received]:
        """Return the next records of those in hand: at least one, and no more than it takes a moment to check."""
        found: list[Received] = []
        weight = 0
        for received in self._hand:
            weight += len(received.value)
            if found and (weight > _SLICE_BYTES or len(found) == self._intake.at_once):
                break
            found.append(received)
        return found

    async def _settle(self, batch: Sequence[Received]) -> None:
        """Make durable what becomes of some records, and take them out of the hand.

        Raises LogError and KeysBusy: nothing is taken out of the hand then, and all of it is done again.
        """
        if not batch:
            return
        asks = await self._read(batch)
        outcomes = await self._outcomes(asks)
        refused = [
            record
            for received, found in zip(batch, outcomes, strict=True)
            for outcome in found
            if isinstance(outcome, Refusal)
            for record in self._refused(received, outcome)
        ]
        if refused:
            await self._publisher.write(refused)
        for asked, found in zip(asks, outcomes, strict=True):
            self._intake.tally.count(list(zip(asked, found, strict=True)))
        for received in batch:
            self._hand.popleft()
            self._untold[received.place] = received.offset + 1

    async def _outcomes(self, asks: Sequence[Sequence[Ask]]) -> Sequence[Sequence[Outcome]]:
        """Return what becomes of the asks of each record. All are submitted together."""
        requests = [ask for asked in asks for ask in asked if isinstance(ask, Request)]
        results = iter(await self._submit(requests))
        return [[next(results) if isinstance(ask, Request) else ask for ask in asked] for asked in asks]

    async def _read(self, batch: Sequence[Received]) -> Sequence[Sequence[Ask]]:
        """Return what each record asks for."""
        asks = []
        for received in batch:
            asks.append(self._asks(received))
            if self._intake.slow:
                await asyncio.sleep(0)
        return asks

    def _asks(self, received: Received) -> Sequence[Ask]:
        try:
            return self._intake.reader.asks(received)
        except Exception as error:  # noqa: BLE001 - as below
            return (_failure(error, None),)

    async def _submit(self, requests: Sequence[Request]) -> Sequence[Outcome]:
        """Submit what can be; whatever one of them provokes, the next one must get its turn."""
        if not requests:
            return ()
        try:
            results = await self._submitter.submit(TENANT, [each.item for each in requests])
        except TocsinError:
            raise
        except Exception as error:  # noqa: BLE001 - a bug of ours; to raise it would stop the gateway at this record
            if len(requests) > 1:
                middle = len(requests) // 2
                return [*await self._submit(requests[:middle]), *await self._submit(requests[middle:])]
            return [_failure(error, requests[0])]
        return [_outcome(*each) for each in zip(requests, results, strict=True)]

    def _refused(self, received: Received, why: Refusal) -> Sequence[Record]:
        source = "/".join(map(str, received.source))
        # The detail names members of the record, and names are the client's: the letter has it, the log line does not.
        logger.warning("request_refused", source=source, reason=why.reason, rule=why.rule)
        return refusal.records(received, why, now=self._clock.now(), max_bytes=self._max_record_bytes)

    async def _tell_log(self, subscription: Subscription) -> None:
        ours = {place: offset for place, offset in self._untold.items() if place in subscription.assigned}
        if not ours:
            return
        try:
            await subscription.commit(ours)
        except CommitFenced:
            # Somebody else reads these now, and will find the keys taken.
            logger.debug("commit_fenced", group=self._intake.group)
        self._untold.clear()


def _outcome(asked: Request, result: Result) -> Outcome:
    """Return what became of a request. Raises KeysBusy where that is not decided."""
    match result:
        case Taken():
            return result
        case KeyBusy():
            raise KeysBusy("another submit with the same idempotency key has not ended")
    return request.refused(asked, result)


def _failure(error: Exception, asked: Request | None) -> Refusal:
    logger.opt(exception=error).error("request_failed")
    return Refusal(
        reason=Reason.HANDLER_ERROR,
        detail="Tocsin failed at it; its log says how.",
        event=asked.event if asked else None,
        rule=asked.rule if asked else None,
    )
