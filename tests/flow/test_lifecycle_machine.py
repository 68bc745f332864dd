"""Submit, replay, discard, expire and crash in any order, against a model of what must come of it."""

import asyncio
import itertools
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from sqlalchemy import select

from channels.provider import Claim
from dlq import items
from dlq.decisions import AlreadyDecided, Decided, Decisions
from dlq.ingest import DeadLetterSink
from dlq.items import Item, dead_letters
from dlq.resume import Resume
from tests.support.clock import ManualClock
from tests.support.delivering import CHANNEL, Delivering, delivering, make_delivery, record_of
from tests.support.scripted import ScriptedProvider
from tests.support.waiting import until
from tocsin import deadletter, topics
from tocsin.deadletter import Reason
from tocsin.delivery import TENANT, Delivery, Semantics
from tocsin.ledger.port import Ledger, Submission, SubmitAnswer
from tocsin.lifecycle import AuditEvent, Event, state_after
from tocsin.outcome import Deferred, Delivered, Outcome, Rejected, Unconfirmed
from tocsin.record import Received, Record
from tocsin.store.engine import Store, open_store

LONG = timedelta(days=3)
SOON = timedelta(seconds=20)
TAKEOVERS = 3
Life = tuple[str, int]

kinds = st.sampled_from(["fine", "fine", "refused", "busy", "down", "lost"])
semantics = st.sampled_from(["at_least_once", "at_least_once", "at_most_once"])
spans = st.sampled_from([LONG, LONG, SOON])
waits = st.sampled_from([timedelta(seconds=6), timedelta(seconds=40), timedelta(minutes=15), timedelta(hours=5)])
choices = st.integers(min_value=0, max_value=99)


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
    """What the model knows of a delivery: its lives, and how many crashes each was alive in."""

    delivery: Delivery
    record: Record
    crashes: list[int] = field(default_factory=lambda: [0])

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

    async def crash(self) -> None:
        """Cut everything off where it is, without drain and commit, and start anew. Lives that were over by the last
        rest had no part in it."""
        for known in self.model.values():
            for life in range(len(known.crashes)):
                known.crashes[life] += (known.delivery.id, life) not in self.over
        await self.stop()
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

    def due(self) -> Any:
        """Return when the next retry is due, None if nothing waits."""
        return min((w._gate._armed_for for w in self.running.workers if w._gate._armed_for), default=None)

    def replayed(self, item: Item) -> None:
        """Put a life more into the model."""
        assert item.delivery_id is not None
        self.model[item.delivery_id].crashes.append(0)

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


class Lifecycle(RuleBasedStateMachine):
    """Rules are what people, time and bad luck do; nothing moves by itself between two of them."""

    def __init__(self) -> None:
        super().__init__()
        self._directory = tempfile.TemporaryDirectory(prefix="tocsin-")
        self._runner = asyncio.Runner()
        self.world = self._run(self._made())

    async def _made(self) -> World:
        world = World(Path(self._directory.name))
        await world.start()
        return world

    def _run(self, doing: Any) -> Any:
        return self._runner.run(doing)

    def teardown(self) -> None:
        """Judge, and clear up."""
        try:
            self._run(self.world.judge())
        finally:
            self._run(self.world.stop())
            self._runner.close()
            self._directory.cleanup()

    @rule(kind=kinds, semantics=semantics, span=spans)
    def submit(self, kind: str, semantics: Semantics, span: timedelta) -> None:
        async def doing() -> None:
            await self.world.submit(kind, semantics, span)
            await self.world.rest()

        self._run(doing())

    @rule(wait=waits)
    def time_passes(self, wait: timedelta) -> None:
        async def doing() -> None:
            await self.world.pass_time(wait)
            await self.world.rest()

        self._run(doing())

    @rule()
    def crash(self) -> None:
        async def doing() -> None:
            await self.world.crash()
            await self.world.rest()

        self._run(doing())

    @rule(kind=kinds, semantics=semantics, turns=st.integers(min_value=0, max_value=30))
    def submit_and_crash_at_any_moment(self, kind: str, semantics: Semantics, turns: int) -> None:
        async def doing() -> None:
            await self.world.submit(kind, semantics, LONG)
            for _ in range(turns):
                await asyncio.sleep(0)
            await self.world.crash()
            await self.world.rest()

        self._run(doing())

    @rule(kind=kinds, semantics=semantics, crashes=st.integers(min_value=1, max_value=4))
    def submit_and_crash_in_the_call(self, kind: str, semantics: Semantics, crashes: int) -> None:
        async def doing() -> None:
            world = self.world
            world.provider.hold = asyncio.Event()
            await world.submit(kind, semantics, LONG)
            for _ in range(crashes):
                await until(lambda: world.provider.held or world.running.quiet, what="the call, or an end without one")
                await world.crash()
            world.provider.release()
            await world.rest()

        self._run(doing())

    @precondition(lambda self: self.world.due() is not None)
    @rule()
    def crash_in_a_retry(self) -> None:
        async def doing() -> None:
            world = self.world
            world.provider.hold = asyncio.Event()
            world.clock.advance(world.due() - world.clock.now())
            await until(lambda: world.provider.held or world.running.quiet, what="a call, or none that is due")
            await world.crash()
            world.provider.release()
            await world.rest()

        self._run(doing())

    @rule()
    def mend(self) -> None:
        self.world.provider.mended = True

    @precondition(lambda self: self.world.open)
    @rule(choice=choices, twice=st.booleans())
    def replay(self, choice: int, twice: bool) -> None:
        async def doing() -> None:
            item = self._chosen(choice)
            asked = [self.world.decisions().replay(item.id, tenant=TENANT, actor="key") for _ in range(1 + twice)]
            answers = await asyncio.gather(*asked)
            assert isinstance(answers[0], Decided)
            self.world.replayed(item)
            await self.world.rest()
            again = await self.world.decisions().discard(item.id, tenant=TENANT, actor="key")
            assert isinstance(again, AlreadyDecided)

        self._run(doing())

    @precondition(lambda self: self.world.open)
    @rule(choice=choices, durable=st.booleans())
    def crash_in_a_replay(self, choice: int, durable: bool) -> None:
        async def doing() -> None:
            world, item = self.world, self._chosen(choice)
            cut = CutLedger(world.running.ledger, durable=durable)
            with pytest.raises(CutError):
                await world.decisions(cut=cut).replay(item.id, tenant=TENANT, actor="key")
            world.replayed(item)
            await world.crash()
            await world.rest()

        self._run(doing())

    @precondition(lambda self: self.world.open)
    @rule(choice=choices)
    def discard(self, choice: int) -> None:
        async def doing() -> None:
            item = self._chosen(choice)
            decided = await self.world.decisions().discard(item.id, tenant=TENANT, actor="key")
            again = await self.world.decisions().replay(item.id, tenant=TENANT, actor="key")
            assert isinstance(decided, Decided)
            assert isinstance(again, AlreadyDecided)
            self.world.discarded.add(item.id)
            await self.world.rest()

        self._run(doing())

    @precondition(lambda self: self.world.open)
    @rule(choice=choices)
    def decide_both_ways_at_once(self, choice: int) -> None:
        async def doing() -> None:
            item, decisions = self._chosen(choice), self.world.decisions()
            replayed, discarded = await asyncio.gather(
                decisions.replay(item.id, tenant=TENANT, actor="one"),
                decisions.discard(item.id, tenant=TENANT, actor="two"),
            )
            assert isinstance(replayed, Decided) != isinstance(discarded, Decided)
            if isinstance(replayed, Decided):
                self.world.replayed(item)
            else:
                self.world.discarded.add(item.id)
            await self.world.rest()

        self._run(doing())

    def _chosen(self, choice: int) -> Item:
        found: list[Item] = self.world.open
        return found[choice % len(found)]


@pytest.mark.timeout(600)
def test_lives_end_once_whatever_happens(long: bool) -> None:
    """In any order of submits, decisions, time and crashes: one end a life, no send too many, exact dead letters."""
    run_state_machine_as_test(
        Lifecycle,
        settings=settings(
            max_examples=400 if long else 25,
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
