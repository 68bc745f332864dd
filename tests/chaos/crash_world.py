"""A channel and its dead letters on one data directory, through crashes in the process, with a model beside them.

A crash cuts everything off where it is, without drain and commit, and opens the directory anew.
"""

import asyncio
import itertools
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from channels.provider import Claim
from dlq import items
from dlq.decisions import Decisions
from dlq.ingest import DeadLetterSink
from dlq.items import Item, dead_letters
from dlq.resume import Resume
from tests.support.clock import ManualClock
from tests.support.delivering import CHANNEL, Delivering, delivering, make_delivery, record_of
from tests.support.scripted import ScriptedProvider
from tocsin import deadletter, topics
from tocsin.deadletter import Reason
from tocsin.delivery import Delivery, Semantics
from tocsin.ledger.port import Ledger, Submission, SubmitAnswer
from tocsin.lifecycle import AuditEvent, Event, state_after
from tocsin.outcome import Deferred, Delivered, Outcome, Rejected, Unconfirmed
from tocsin.record import Received, Record
from tocsin.store.engine import Store, open_store

LONG = timedelta(days=3)
SOON = timedelta(seconds=20)
TAKEOVERS = 3
Life = tuple[str, int]


class Provider(ScriptedProvider):
    """Answers as the address asks for, and counts the calls that it holds."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock, self._answer)
        self.held = 0
        self.mended = False

    async def send(self, message: Delivery, *, key: str, deadline: float, claim: Claim) -> Outcome:
        await claim()
        self.held += 1
        try:
            return await super().send(message, key=key, deadline=deadline, claim=_claimed)
        finally:
            self.held -= 1

    def release(self) -> None:
        """Hold no call any longer."""
        if self.hold is not None:
            self.hold.set()
        self.hold = None

    def _answer(self, delivery: Delivery, number: int) -> Outcome:
        match delivery.address.partition("+")[0]:
            case "refused" if not self.mended:
                return Rejected(reason="unknown mailbox", scope="address", code="550 5.1.1")
            case "busy" if number % 3:
                return Deferred(cause="busy")
            case "down":
                return Deferred(cause="down")
            case "lost":
                return Unconfirmed(phase="data")
            case _:
                return Delivered()


async def _claimed() -> None:
    """Claim what was claimed before."""


class CutError(Exception):
    """The process is gone."""


class CutLedger:
    """A ledger at which the process dies in a submit: before it is durable, or after."""

    def __init__(self, ledger: Ledger, *, durable: bool) -> None:
        self._ledger = ledger
        self._durable = durable

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    async def submit(self, submissions: Sequence[Submission]) -> Sequence[SubmitAnswer]:
        """See the port."""
        if self._durable:
            await self._ledger.submit(submissions)
        raise CutError


@dataclass(slots=True, kw_only=True)
class Expected:
    """What the model knows of a delivery: its lives, how many crashes each was alive in, and the longest outage."""

    delivery: Delivery
    record: Record
    crashes: list[int] = field(default_factory=lambda: [0])
    outages: list[timedelta] = field(default_factory=lambda: [timedelta()])

    def ends(self, life: int, *, mended: bool) -> set[tuple[Event, str | None]]:
        """Return how a life may end, each with its reason."""
        delivery, crashes = self.delivery, self.crashes[life]
        soon = delivery.expires_at - delivery.accepted_at == SOON
        ends: dict[str, set[tuple[Event, str | None]]] = {
            "fine": {(Event.DELIVERED, None)},
            "refused": {(Event.DEAD, Reason.REJECTED)},
            "busy": {(Event.EXPIRED, None), (Event.DELIVERED, None)} if soon else {(Event.DELIVERED, None)},
            "down": {(Event.EXPIRED, None)} if soon else {(Event.DEAD, Reason.EXHAUSTED)},
            "lost": {(Event.DEAD, Reason.OUTCOME_UNKNOWN)},
        }
        kind = delivery.address.partition("+")[0]
        found = ends[kind]
        if kind == "refused" and mended:
            found = found | {(Event.DELIVERED, None)}
        if soon and self.outages[life] >= SOON:
            found = found | {(Event.EXPIRED, None)}
        if crashes and delivery.semantics == "at_most_once":
            found = found | {(Event.DEAD, Reason.OUTCOME_UNKNOWN)}
        if crashes >= TAKEOVERS:
            found = found | {(Event.DEAD, Reason.CRASH_LOOP)}
        return found


class World:
    """One data directory through all crashes: the channel, the dead letters, and the model beside them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._stack = AsyncExitStack()
        self._numbers = itertools.count()
        self._letters_seen = 0
        self.clock = ManualClock()
        self.provider = Provider(self.clock)
        self.model: dict[str, Expected] = {}
        self.discarded: set[str] = set()
        self.open: list[Item] = []
        self.over: set[Life] = set()
        self.running: Delivering
        self.store: Store

    async def start(self) -> None:
        """Open what lies in the directory, and carry out what was decided and cut off."""
        self._stack = AsyncExitStack()
        self.running = await self._stack.enter_async_context(
            delivering(self._directory, self.clock, provider=self.provider)
        )
        url = f"sqlite:///{self._directory / 'store.db'}"
        self.store = await self._stack.enter_async_context(open_store(url))
        async with self.store.write() as connection:
            await connection.run_sync(items.metadata.create_all)
        await Resume(store=self.store, decisions=self.decisions(), clock=self.clock).once(before=self.clock.now())

    async def crash(self, *, outage: timedelta = timedelta()) -> None:
        """Cut everything off where it is, without drain and commit, and start anew after an outage. Lives that were
        over by the last rest had no part in it."""
        for known in self.model.values():
            for life in range(len(known.crashes)):
                if (known.delivery.id, life) not in self.over:
                    known.crashes[life] += 1
                    known.outages[life] = max(known.outages[life], outage)
        await self.stop()
        self.clock.advance(outage)
        await self.start()

    async def stop(self) -> None:
        """Cut everything off."""
        running = self.running
        for worker in running.workers:
            worker.stop()
            worker._subscription = None
            cut = list(worker._running)
            for task in cut:
                task.cancel()
            await asyncio.gather(*cut, return_exceptions=True)
        for task in running.tasks:
            task.cancel()
        await asyncio.gather(*running.tasks, return_exceptions=True)
        running.tasks.clear()
        await self._stack.aclose()

    def decisions(self, *, cut: CutLedger | None = None) -> Decisions:
        """Return what carries out decisions."""
        return Decisions(
            store=self.store,
            ledger=cut or self.running.ledger,
            publisher=_Publisher(self.running),
            clock=self.clock,
            timeout=timedelta(seconds=5),
        )

    async def submit(self, kind: str, semantics: Semantics, span: timedelta) -> None:
        """Accept a delivery."""
        address = f"{kind}+{next(self._numbers)}@example.test"
        delivery = make_delivery(address, now=self.clock.now(), semantics=semantics, expires_in=span)
        record = record_of(delivery)
        self.model[delivery.id] = Expected(delivery=delivery, record=record)
        await self.running.write(record)

    async def rest(self) -> None:
        """Return once nothing moves and the dead letters are in the store."""
        await self.running.settle_down()
        letters = await self.running.dead_letters()
        if len(letters) > self._letters_seen:
            self._letters_seen = len(letters)
            sink = DeadLetterSink(channels={topics.dlq(CHANNEL): CHANNEL}, clock=self.clock)
            async with self.store.write() as connection:
                await sink.write(connection, letters)
        self.over = set(self.ends(await self.running.events()))
        await self._look()

    async def _look(self) -> None:
        """Take note of the letters that nobody has decided about."""
        columns = dead_letters.c
        query = select(*items.FACTS).where(columns.state == items.State.OPEN).order_by(columns.died_at, columns.id)
        async with self.store.read() as connection:
            self.open = [items.of_row(row) for row in (await connection.execute(query)).mappings()]

    async def pass_time(self, wait: timedelta) -> None:
        """Move on, letting everything happen when it is due."""
        end = self.clock.now() + wait
        await self.running.settle_down()
        while (due := self.due()) is not None and due <= end:
            self.clock.advance(due - self.clock.now())
            await self.running.settle_down()
        self.clock.advance(end - self.clock.now())

    def calls_beyond(self, held: int) -> bool:
        """Return whether the provider holds more calls than so many."""
        return self.provider.held > held

    def due(self) -> Any:
        """Return when the next retry is due, None if nothing waits."""
        return min((w._gate._armed_for for w in self.running.workers if w._gate._armed_for), default=None)

    def replayed(self, item: Item) -> None:
        """Put a life more into the model."""
        assert item.delivery_id is not None
        self.model[item.delivery_id].crashes.append(0)
        self.model[item.delivery_id].outages.append(timedelta())

    def ends(self, events: Sequence[AuditEvent]) -> dict[Life, AuditEvent]:
        """Return the end of each life, of which there must be one at most."""
        ends: dict[Life, AuditEvent] = {}
        for event in events:
            if (state := state_after(event.type)) is not None and state.terminal:
                life = (event.delivery_id or "", event.life or 0)
                assert life not in ends, f"a life ended twice: {ends[life]}, {event}"
                ends[life] = event
        return ends

    async def judge(self) -> None:
        """Let everything end, and hold it against the model."""
        await self.running.run_until_over()
        events, letters = await self.running.events(), await self.running.dead_letters()
        ends = self.ends(events)
        lives = {(each, life): known for each, known in self.model.items() for life in range(len(known.crashes))}
        assert ends.keys() == lives.keys()
        attempted = Counter((event.delivery_id, event.life) for event in events if event.type is Event.ATTEMPTED)
        calls = Counter(call.key for call in self.provider.calls)
        for life, known in lives.items():
            end = ends[life]
            assert (end.type, end.data.get("reason")) in known.ends(life[1], mended=self.provider.mended)
            made = calls.pop(f"{life[0]}:{life[1]}", 0)
            assert attempted[life] <= made <= attempted[life] + known.crashes[life[1]]
            if known.delivery.semantics == "at_most_once" and known.delivery.address.startswith(("fine", "lost")):
                assert made <= 1
        assert not calls
        self._letters(letters, {life for life, end in ends.items() if end.type is Event.DEAD})
        told = Counter(event.data["dead_letter_id"] for event in events if event.type is Event.DISCARDED)
        assert told.keys() == self.discarded

    def _letters(self, letters: Sequence[Received], dead: set[Life]) -> None:
        """Each death has one letter, and in it what was accepted, byte for byte."""
        found = [deadletter.life_of(letter.headers) for letter in letters]
        assert sorted(map(str, found)) == sorted(map(str, dead))
        for letter, life in zip(letters, found, strict=True):
            assert life is not None
            record = self.model[life[0]].record
            assert (letter.key, letter.value) == (record.key, record.value)
            assert _foreign(letter) == _foreign(record)


def _foreign(record: Record | Received) -> list[tuple[str, bytes]]:
    """Return the headers that no hop writes."""
    return [pair for pair in record.headers if not pair[0].startswith("tocsin-")]


@dataclass(frozen=True, slots=True)
class _Publisher:
    """The publisher of a log that runs."""

    running: Delivering

    async def write(self, records: Sequence[Record]) -> None:
        """See the port."""
        await self.running.write(*records)
