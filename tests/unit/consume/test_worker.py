"""The worker on a real log, with a handler that does as it is told."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.support.clock import ManualClock
from tests.support.logs import NOW, drain, embedded_config, reading, write
from tests.support.waiting import until
from tocsin.consume.permits import Permits, Stream
from tocsin.consume.worker import Budget, Worker, WorkerConfig
from tocsin.delivery import Lane
from tocsin.errors import LogUnavailable, NotClaimed, StoreUnavailable
from tocsin.eventlog.embedded.log import EmbeddedLog, open_log
from tocsin.eventlog.murmur2 import partition_for
from tocsin.ledger.embedded import EmbeddedLedger
from tocsin.ledger.port import Settlement
from tocsin.lifecycle import State
from tocsin.observe.metrics import Metrics
from tocsin.record import Partition, Received, Record
from tocsin.topics import TopicSpec

IN, OUT, DEAD = "work.in", "work.out", "work.dead"
GROUP = "workers"
SPECS = [TopicSpec(name=name, kind="delivery") for name in (IN, OUT, DEAD)]
PARTITIONS = 2
KEYS = [next(b"k%d" % n for n in range(100) if partition_for(b"k%d" % n, PARTITIONS) == p) for p in range(PARTITIONS)]
Script = Callable[[Received], Awaitable[Settlement | None]]


def ticks(clock: ManualClock) -> bool:
    """Let a second pass; always false, for conditions that only time may bring about."""
    clock.advance(timedelta(seconds=1))
    return False


def settlement(received: Received, *, topic: str = OUT, terminal: bool = False) -> Settlement:
    """Return one that copies the value to a topic."""
    record = Record(topic=topic, key=received.key, value=received.value)
    life = ("life-" + received.value.decode(), 0)
    return Settlement(
        source=received.source,
        records=(record,),
        life=life if terminal else None,
        terminal=State.DELIVERED if terminal else None,
    )


@dataclass
class Handler:
    """Copies what it gets, unless there is a script for it; takes note of everything."""

    scripts: dict[bytes, Script] = field(default_factory=dict)
    due_at: dict[bytes, datetime] = field(default_factory=dict)
    handled: list[bytes] = field(default_factory=list)
    settled_: list[tuple[bytes, bool]] = field(default_factory=list)

    def due(self, received: Received) -> datetime | None:
        return self.due_at.get(received.value)

    async def handle(self, received: Received) -> Settlement | None:
        self.handled.append(received.value)
        script = self.scripts.get(received.value) or self.scripts.get(b"*")
        return await script(received) if script else settlement(received)

    def on_bug(self, received: Received, error: BaseException) -> Settlement:
        assert not isinstance(error, LogUnavailable)
        return settlement(received, topic=DEAD)

    def settled(self, received: Received, settlement: Settlement, *, effective: bool) -> None:
        del settlement
        self.settled_.append((received.value, effective))


class UnsteadyLedger(EmbeddedLedger):
    """Fails to settle as often as it is told."""

    failures = 0

    async def settle(self, settlement: Settlement) -> bool:
        if self.failures:
            self.failures -= 1
            raise LogUnavailable("the disk is full")
        return await super().settle(settlement)


class Held:
    """A script that waits until it is let go."""

    def __init__(self) -> None:
        self.entered = 0
        self.most = 0
        self.inside = 0
        self.go = asyncio.Event()

    async def __call__(self, received: Received) -> Settlement | None:
        self.entered += 1
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            await self.go.wait()
        finally:
            self.inside -= 1
        return settlement(received)


@dataclass(kw_only=True)
class Floor:
    """A log with a ledger, and workers on it."""

    log: EmbeddedLog
    ledger: UnsteadyLedger
    clock: ManualClock
    handler: Handler = field(default_factory=Handler)
    budget: Budget = field(default_factory=lambda: Budget(1 << 26))
    permits: Permits = field(default_factory=lambda: Permits(256))
    released: list[timedelta] = field(default_factory=list)
    closed: bool = False

    @asynccontextmanager
    async def worker(self, *, window: int = 1000, drain: float = 5.0) -> AsyncIterator[Worker]:
        """Run one; it is stopped and drained at the end."""
        worker = Worker(
            log=self.log,
            ledger=self.ledger,
            topics=[IN],
            group=GROUP,
            stream=Stream(lane=Lane.NORMAL, retrying=False),
            handler=self.handler,
            permits=self.permits,
            budget=self.budget,
            clock=self.clock,
            config=WorkerConfig(
                unfinished_records=window,
                unfinished_bytes=1 << 24,
                drain=timedelta(seconds=drain),
                commit_interval=timedelta(seconds=1),
                commit_every=1,
            ),
            on_released=self.released.append,
            may_take=lambda: not self.closed,
        )
        task = asyncio.create_task(worker.run())
        try:
            yield worker
        finally:
            worker.stop()
            await task

    async def write(self, *numbers: int, partition: int = 0) -> None:
        await write(self.log, *(Record(topic=IN, key=KEYS[partition], value=b"%d" % n) for n in numbers))

    def committed(self, partition: int = 0) -> int:
        return self.log.committed(GROUP, Partition(IN, partition))

    async def commits_to(self, offset: int, *, partition: int = 0) -> None:
        await until(lambda: self.committed(partition) >= offset, what=f"the commit of {offset}", seconds=8)

        assert self.committed(partition) == offset

    async def values(self, topic: str) -> list[bytes]:
        """Return all the values of a topic, sorted."""
        async with reading(self.log, topic, group="look") as subscription:
            await subscription.seek(dict.fromkeys(subscription.assigned, 0))
            found: list[bytes] = []
            while records := await subscription.fetch(limit=1000, wait=NOW):
                found.extend(record.value for record in records)
        return sorted(found)


@pytest.fixture
async def floor(tmp_path: Path) -> AsyncIterator[Floor]:
    """An empty floor."""
    clock = ManualClock()
    config = embedded_config(tmp_path, partitions=PARTITIONS)
    async with open_log(config, clock=clock, metrics=Metrics(version="test")) as log:
        await log.ensure_topics(SPECS)
        ledger = UnsteadyLedger(log, clock=clock, lease=timedelta(seconds=90))
        await ledger.open()
        yield Floor(log=log, ledger=ledger, clock=clock)


def numbers(*found: int) -> list[bytes]:
    return sorted(b"%d" % n for n in found)


async def test_the_commit_waits_at_the_record_that_hangs_while_the_others_finish(floor: Floor) -> None:
    """Scenario 2."""
    held = floor.handler.scripts[b"7"] = Held()
    await floor.write(*range(100))
    async with floor.worker() as worker:
        await until(lambda: worker.unfinished == 1 and len(floor.handler.settled_) == 99, what="99 of 100")
        await floor.commits_to(7)
        held.go.set()

        await floor.commits_to(100)
    assert floor.budget.used == 0
    assert await floor.values(OUT) == numbers(*range(100))


async def test_what_a_worker_leaves_undone_the_next_one_finds_and_nothing_else(floor: Floor) -> None:
    held = floor.handler.scripts[b"7"] = Held()
    await floor.write(*range(10))
    async with floor.worker(drain=0.01):
        await until(lambda: len(floor.handler.settled_) == 9, what="all but one")
    assert floor.committed() == 7
    held.go.set()
    floor.handler.handled.clear()
    async with floor.worker():
        await floor.commits_to(10)

    assert floor.handler.handled == [b"7", b"8", b"9"]
    assert floor.budget.used == 0
    assert floor.permits.in_flight == 0


async def test_a_bug_of_the_handler_costs_its_record_only(floor: Floor) -> None:
    async def fail(_received: Received) -> Settlement | None:
        raise ZeroDivisionError

    floor.handler.scripts = {b"2": fail, b"3": fail}
    await floor.write(*range(6))
    async with floor.worker():
        await floor.commits_to(6)

    assert await floor.values(DEAD) == [b"2", b"3"]
    assert await floor.values(OUT) == numbers(0, 1, 4, 5)
    assert floor.permits.in_flight == 0


async def test_a_cancellation_that_leaks_from_a_handler_leaves_no_hole(floor: Floor) -> None:
    """A library under a provider may let the cancellation of a task of its own out: it is a bug like any other."""

    async def leak(_received: Received) -> Settlement | None:
        floor.handler.scripts.clear()
        raise asyncio.CancelledError

    floor.handler.scripts[b"2"] = leak
    await floor.write(*range(6))
    async with floor.worker():
        await until(lambda: len(floor.handler.settled_) >= 5, what="the others", seconds=8)
        await floor.write(6)
        await until(lambda: (b"6", True) in floor.handler.settled_, what="one after the leak", seconds=8)

        await floor.commits_to(7)


async def test_a_bug_in_the_bookkeeping_after_a_settlement_leaves_no_hole(floor: Floor) -> None:
    class Miscounting(Handler):
        def settled(self, received: Received, settlement: Settlement, *, effective: bool) -> None:
            super().settled(received, settlement, effective=effective)
            if received.value == b"2":
                raise ZeroDivisionError

    floor.handler = Miscounting()
    await floor.write(*range(6))
    async with floor.worker():
        await until(lambda: len(floor.handler.settled_) >= 6, what="all six")

        await floor.commits_to(6)
    assert await floor.values(OUT) == numbers(*range(6))


async def test_a_bug_in_the_answer_to_a_bug_leaves_no_hole(floor: Floor) -> None:
    """The record is handled again, or ends somehow; it does not vanish from the bookkeeping for good."""

    class Clumsy(Handler):
        def on_bug(self, received: Received, error: BaseException) -> Settlement:
            raise KeyError(received.offset) from error

    async def fail_once(_received: Received) -> Settlement | None:
        floor.handler.scripts.clear()
        raise ZeroDivisionError

    floor.handler = Clumsy(scripts={b"0": fail_once})
    await floor.write(0, 1)
    async with floor.worker():
        await until(lambda: (b"1", True) in floor.handler.settled_, what="the neighbour")

        await until(lambda: floor.committed() == 2 or ticks(floor.clock), what="the commit", seconds=8)


@pytest.mark.parametrize("error", [StoreUnavailable("away"), LogUnavailable("away"), NotClaimed("no")])
async def test_infrastructure_that_fails_is_tried_again_by_the_clock(floor: Floor, error: Exception) -> None:
    fails = 3

    async def fail(received: Received) -> Settlement | None:
        nonlocal fails
        if fails:
            fails -= 1
            raise error
        return settlement(received)

    floor.handler.scripts[b"1"] = fail
    await floor.write(0, 1, 2)
    async with floor.worker():
        for tries, pause in ((1, 0.2), (2, 0.4), (3, 0.8)):
            await until(lambda: floor.handler.handled.count(b"1") == tries, what="the next try")  # noqa: B023 - awaited
            await floor.commits_to(1)
            floor.clock.advance(timedelta(seconds=pause))
        await floor.commits_to(3)

    assert floor.handler.handled.count(b"1") == 4
    assert await floor.values(OUT) == numbers(0, 1, 2)
    assert await floor.values(DEAD) == []


async def test_a_settlement_that_cannot_be_written_is_written_later_and_once(floor: Floor) -> None:
    floor.ledger.failures = 5
    await floor.write(0)
    async with floor.worker() as worker:
        for left in (4, 3, 2, 1, 0):
            await until(lambda: floor.ledger.failures == left, what="the next try")  # noqa: B023 - awaited
            assert (floor.committed(), worker.unfinished) == (0, 1)
            floor.clock.advance(timedelta(seconds=5))
        await floor.commits_to(1)

    assert floor.handler.handled == [b"0"]
    assert await floor.values(OUT) == [b"0"]


async def test_a_settlement_without_effect_is_told_and_done(floor: Floor) -> None:
    async def end(received: Received) -> Settlement | None:
        return Settlement(
            source=received.source,
            records=(Record(topic=OUT, key=b"x", value=received.value),),
            life=("dlv", 0),
            terminal=State.DELIVERED,
        )

    floor.handler.scripts[b"*"] = end
    await floor.write(0, 1, 2)
    async with floor.worker():
        await floor.commits_to(3)

    assert sorted(effective for _, effective in floor.handler.settled_) == [False, False, True]
    assert len(await floor.values(OUT)) == 1


async def test_a_record_that_needs_nothing_is_done(floor: Floor) -> None:
    async def nothing(_received: Received) -> Settlement | None:
        return None

    floor.handler.scripts[b"*"] = nothing
    await floor.write(0, 1)
    async with floor.worker():
        await floor.commits_to(2)

    assert floor.handler.settled_ == []
    assert floor.budget.used == 0


async def test_stopping_waits_for_what_runs_and_commits_it(floor: Floor) -> None:
    held = floor.handler.scripts[b"*"] = Held()
    await floor.write(*range(5))
    async with floor.worker() as worker:
        await until(lambda: held.inside == 5, what="five under way")
        worker.stop()
        worker.stop()
        asyncio.get_running_loop().call_later(0.05, held.go.set)

    assert floor.committed() == 5
    assert await floor.values(OUT) == numbers(*range(5))
    assert (floor.budget.used, floor.permits.in_flight) == (0, 0)


async def test_a_stop_before_the_start_is_not_lost(floor: Floor) -> None:
    await floor.write(0)
    async with asyncio.timeout(5):
        async with floor.worker() as worker:
            worker.stop()

    assert floor.handler.handled == []


async def test_a_full_window_stops_the_intake_of_its_partition_only(floor: Floor) -> None:
    held = Held()
    for n in range(100):
        floor.handler.scripts[b"%d" % n] = held
    await floor.write(*range(100), partition=0)
    async with floor.worker(window=4) as worker:
        await until(lambda: held.inside >= 4, what="a full window")
        await floor.write(*range(100, 150), partition=1)
        await floor.commits_to(50, partition=1)

        assert held.entered == worker.unfinished == 4
        held.go.set()
        await floor.commits_to(100)
    assert await floor.values(OUT) == numbers(*range(150))


async def test_without_budget_a_partition_has_only_its_least_in_hand_until_there_is_some(floor: Floor) -> None:
    floor.budget = Budget(1)
    held = floor.handler.scripts[b"*"] = Held()
    await floor.write(0)
    async with floor.worker() as worker:
        await until(lambda: held.inside, what="the first")
        await floor.write(*range(1, 100), partition=1)
        await until(lambda: held.inside > 32, what="the least of the other partition")
        for n in range(100, 103):
            await floor.write(n, partition=1)
        assert worker.unfinished == held.entered == 1 + 32
        held.go.set()
        await floor.commits_to(102, partition=1)

    assert floor.budget.used == 0


async def test_what_waits_for_hours_keeps_nobody_else_from_being_read(floor: Floor) -> None:
    floor.budget = Budget(1)
    late = floor.clock.now() + timedelta(hours=4)
    floor.handler.due_at = dict.fromkeys(numbers(*range(100)), late)
    await floor.write(*range(100))
    async with floor.worker() as worker:
        await until(lambda: worker.unfinished >= 32, what="those that wait")
        await floor.write(*range(100, 200), partition=1)
        await floor.commits_to(100, partition=1)

    assert await floor.values(OUT) == numbers(*range(100, 200))


async def test_a_closed_channel_takes_nothing_until_it_is_open(floor: Floor) -> None:
    floor.closed = True
    await floor.write(0)
    async with floor.worker():
        for n in range(1, 5):
            await floor.write(n)
        assert floor.handler.handled == []
        floor.closed = False

        await floor.commits_to(5)


async def test_no_more_run_than_there_are_permits(floor: Floor) -> None:
    floor.permits = Permits(8)
    held = floor.handler.scripts[b"*"] = Held()
    await floor.write(*range(30))
    async with floor.worker() as worker:
        await until(lambda: (held.inside, worker.pending) == (7, 30 - 7), what="all that may run")
        held.go.set()
        await floor.commits_to(30)

    assert held.most == 7  # one is kept for the high lane
    assert floor.permits.in_flight == 0


async def test_a_record_waits_until_it_is_due_and_lets_others_pass(floor: Floor) -> None:
    floor.handler.due_at[b"0"] = floor.clock.now() + timedelta(seconds=60)
    await floor.write(0, 1)
    async with floor.worker():
        await until(lambda: (b"1", True) in floor.handler.settled_, what="the one that is due")
        floor.clock.advance(timedelta(seconds=59.999))
        await floor.write(2)
        await until(lambda: (b"2", True) in floor.handler.settled_, what="another one")
        assert b"0" not in floor.handler.handled
        assert floor.committed() == 0

        floor.clock.advance(timedelta(seconds=0.001))
        await floor.commits_to(3)
    assert floor.released == [timedelta()]


async def test_what_waits_when_the_worker_stops_waits_again_with_the_next(floor: Floor) -> None:
    due = floor.clock.now() + timedelta(seconds=60)
    floor.handler.due_at = {b"0": due, b"1": due}
    await floor.write(0, 1)
    async with floor.worker() as worker:
        await until(lambda: worker.unfinished == 2, what="both at the gate")
    assert floor.budget.used == 0
    assert floor.clock.next_due() is None or floor.clock.next_due() != due
    async with floor.worker() as worker:
        await until(lambda: worker.unfinished == 2, what="both at the gate")
        assert floor.handler.handled == []
        floor.clock.advance(timedelta(seconds=60))
        await floor.commits_to(2)

    assert sorted(floor.handler.handled) == [b"0", b"1"]


async def test_workers_that_come_and_go_handle_each_record_once_while_they_can_drain(floor: Floor) -> None:
    await floor.write(*range(200), partition=0)
    await floor.write(*range(200, 400), partition=1)
    async with floor.worker(window=10):
        for _ in range(3):
            async with floor.worker(window=10) as second:
                await until(lambda: second._trackers, what="a share")
        await floor.commits_to(200, partition=0)
        await floor.commits_to(200, partition=1)

    assert sorted(floor.handler.handled) == numbers(*range(400))
    assert await floor.values(OUT) == numbers(*range(400))
    assert floor.budget.used == 0


async def test_a_commit_that_failed_is_made_later(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    commit, fails = floor.log.commit, [2]

    def unsteady(group: str, next_offsets: Mapping[Partition, int]) -> Awaitable[None]:
        if fails[0]:
            fails[0] -= 1
            raise LogUnavailable("the disk is full")
        return commit(group, next_offsets)

    monkeypatch.setattr(floor.log, "commit", unsteady)
    await floor.write(0)
    async with floor.worker():
        await until(lambda: not fails[0] or ticks(floor.clock), what="two failed commits")
        floor.clock.advance(timedelta(seconds=1))

        await floor.commits_to(1)


async def test_what_comes_during_a_commit_does_not_wait_for_it(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    commit, begun, go = floor.log.commit, asyncio.Event(), asyncio.Event()

    async def slow(group: str, next_offsets: Mapping[Partition, int]) -> None:
        begun.set()
        await go.wait()
        await commit(group, next_offsets)

    monkeypatch.setattr(floor.log, "commit", slow)
    await floor.write(0)
    async with floor.worker():
        await begun.wait()
        await floor.write(1)
        await until(lambda: len(floor.handler.settled_) == 2, what="the second record, settled")
        assert floor.committed() == 0
        go.set()

        await floor.commits_to(2)


async def test_a_stop_waits_for_the_commit_under_way(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    commit, begun, go, under_way = floor.log.commit, asyncio.Event(), asyncio.Event(), [0, 0]

    async def slow(group: str, next_offsets: Mapping[Partition, int]) -> None:
        under_way[0] += 1
        under_way[1] = max(under_way)
        begun.set()
        await go.wait()
        await commit(group, next_offsets)
        under_way[0] -= 1

    monkeypatch.setattr(floor.log, "commit", slow)
    await floor.write(0)
    async with floor.worker() as worker:
        await begun.wait()
        worker.stop()
        await floor.write(1)
        go.set()

    assert (floor.committed(), under_way) == (1, [0, 1])


async def test_a_fetch_that_fails_is_repeated_by_the_clock(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    read, calls = floor.log.read, [0]

    async def unsteady(wants):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - fails once, passes on
        calls[0] += 1
        if calls[0] == 1:
            raise LogUnavailable("unreadable")
        return await read(wants)

    monkeypatch.setattr(floor.log, "read", unsteady)
    await floor.write(0)
    async with floor.worker():
        await until(lambda: calls[0] == 1 and floor.clock.next_due(), what="a pause")
        floor.clock.advance(timedelta(milliseconds=200))

        await floor.commits_to(1)
    assert floor.handler.handled == [b"0"]


async def test_reading_goes_on_beyond_the_first_fetch(floor: Floor) -> None:
    await floor.write(*range(1500))
    async with floor.worker(window=600):
        await floor.commits_to(1500)
    async with reading(floor.log, OUT) as subscription:
        found = await drain(subscription, 1500)

    assert len({record.value for record in found}) == 1500
