"""The one writer: group commit, savepoints, and a disk that fills up."""

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.clock import ManualClock
from tests.support.logs import NOW, drain, embedded_config, reading, write
from tests.support.waiting import until
from tocsin.errors import LogFull, LogLocked, LogUnavailable, TopicMismatch
from tocsin.eventlog.embedded.log import EmbeddedLog, open_log
from tocsin.eventlog.embedded.transaction import Transaction
from tocsin.eventlog.embedded.writer import Committed
from tocsin.observe.metrics import Metrics
from tocsin.record import Partition, Record
from tocsin.topics import TopicSpec

TOPIC, OTHER = "log.test", "log.other"
SPECS = [TopicSpec(name=TOPIC, kind="delivery")]


@dataclass
class Place:
    """A directory in which a log is opened, perhaps again and again."""

    directory: Path
    clock: ManualClock = field(default_factory=ManualClock)
    commits: list[int] = field(default_factory=list)

    @asynccontextmanager
    async def log(self, *, max_bytes: int = 1 << 30, partitions: int = 1) -> AsyncIterator[EmbeddedLog]:
        """Open it; commits are counted."""
        config = embedded_config(self.directory, partitions=partitions, max_bytes=max_bytes)
        async with open_log(config, clock=self.clock, metrics=Metrics(version="test")) as log:
            on_commit = log._writer._on_commit

            def counted(committed: Committed) -> None:
                self.commits.append(len(committed.records))
                on_commit(committed)

            log._writer._on_commit = counted
            yield log


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """An empty directory."""
    return Place(tmp_path)


def record(value: bytes = b"x", *, topic: str = TOPIC, key: bytes = b"k") -> Record:
    return Record(topic=topic, key=key, value=value)


def ticks(clock: ManualClock) -> bool:
    """Let a second pass; always false, for conditions that only time may bring about."""
    clock.advance(timedelta(seconds=1))
    return False


async def everything(log: EmbeddedLog, topic: str = TOPIC) -> list[tuple[int, bytes]]:
    """Return the offsets and values of a topic of one partition."""
    found: list[tuple[int, bytes]] = []
    async with reading(log, topic, group=f"look-{os.urandom(4).hex()}") as subscription:
        while records := await subscription.fetch(limit=1000, wait=NOW):
            found.extend((each.offset, each.value) for each in records)
    return found


@asynccontextmanager
async def writer_held(log: EmbeddedLog) -> AsyncIterator[None]:
    """Keep the writer busy, so that what is written meanwhile gathers."""
    go, entered = threading.Event(), threading.Event()

    def hold(_transaction: Transaction) -> None:
        entered.set()
        assert go.wait(20)

    held = log.run(hold, apart=True)
    await until(entered.is_set, what="the writer to be held")
    try:
        yield
    finally:
        go.set()
        await held


async def full(log: EmbeddedLog) -> None:
    """Let the disk be full: the file may not grow beyond what it has."""

    def limit(transaction: Transaction) -> None:
        transaction.connection.execute(f"PRAGMA max_page_count = {transaction.connection.pragma('page_count')}")

    await log.run(limit)


async def freed(log: EmbeddedLog) -> None:
    """Let there be room again."""

    def limit(transaction: Transaction) -> None:
        transaction.connection.execute("PRAGMA max_page_count = 1073741823")

    await log.run(limit)


STRANGER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
input()
"""
LARGE = record(b"x" * (1 << 20))


async def test_a_second_gateway_is_told_who_has_the_directory(place: Place) -> None:
    async with place.log():
        with pytest.raises(LogLocked, match=f"locked by pid {os.getpid()}:"):
            async with place.log():
                pass
    async with place.log() as log:
        assert log.health().writable


async def test_a_file_that_is_no_log_is_named_and_the_directory_is_free_again(place: Place) -> None:
    path = place.directory / "log.db"
    path.write_bytes(b"not a database" * 1000)
    with pytest.raises(LogUnavailable, match=r"log\.db"):
        async with place.log():
            pass
    path.unlink()
    async with place.log() as log:
        assert log.health().writable


async def test_writes_that_gather_are_one_commit(place: Place) -> None:
    async with place.log() as log:
        await log.ensure_topics(SPECS)
        async with writer_held(log):
            before = len(place.commits)
            writes = [asyncio.ensure_future(write(log, record(b"%d" % n))) for n in range(300)]
            await until(lambda: log._writer.queued == 301, what="all to be queued")
        await asyncio.gather(*writes)

        assert place.commits[before:] == [0, 300]
        assert await everything(log) == [(n, b"%d" % n) for n in range(300)]


async def test_an_operation_that_fails_does_not_fail_its_neighbours_nor_cost_an_offset(place: Place) -> None:
    def fail(transaction: Transaction) -> None:
        transaction.append([record(b"gone"), record(b"gone too")])
        raise ZeroDivisionError

    async with place.log() as log:
        await log.ensure_topics(SPECS)
        async with writer_held(log):
            before = len(place.commits)
            writes = [log.run(lambda transaction: transaction.append([record(b"1")])), log.run(fail)]
            writes.append(log.run(lambda transaction: transaction.append([record(b"2")])))
            writes.append(log.run(lambda transaction: transaction.append([record(), record(topic="nowhere")])))
            writes.append(log.run(lambda transaction: transaction.append([record(b"3")])))
        found = await asyncio.gather(*writes, return_exceptions=True)

        assert [type(each) for each in found] == [
            *(type(None), ZeroDivisionError, type(None), TopicMismatch, type(None))
        ]
        assert place.commits[before:] == [0, 3]
        assert await everything(log) == [(0, b"1"), (1, b"2"), (2, b"3")]
        assert log.health().writable


async def test_an_operation_that_raises_stop_iteration_does_not_leave_its_neighbours_waiting(place: Place) -> None:
    """A future refuses StopIteration: who forgets that leaves all that follow in the batch without an answer."""
    nothing: list[int] = []
    async with place.log() as log:
        await log.ensure_topics(SPECS)
        async with writer_held(log):
            broken: asyncio.Future[int] = log.run(lambda _: next(iter(nothing)))
            neighbour = log.run(lambda transaction: transaction.append([record(b"1")]))
        await asyncio.wait([asyncio.ensure_future(each) for each in (neighbour, broken)], timeout=2)

        assert neighbour.done()
        assert broken.done()
        assert broken.exception() is not None


async def test_cancelling_a_write_does_not_take_it_back(place: Place) -> None:
    async with place.log() as log:
        await log.ensure_topics(SPECS)
        async with writer_held(log):
            writing = asyncio.ensure_future(write(log, record(b"1")))
            await until(lambda: log._writer.queued == 2, what="the write to be queued")
            writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        await write(log, record(b"2"))

        assert await everything(log) == [(0, b"1"), (1, b"2")]


async def test_an_early_answer_comes_before_the_commit_and_holds_after_it(place: Place) -> None:
    async with place.log() as log:
        await log.ensure_topics(SPECS)
        order: list[str] = []
        async with writer_held(log):
            late = log.run(lambda transaction: transaction.append([record(b"1")]))
            early = log.run(lambda transaction: transaction.append([record(b"2")]), early=True)
            late.add_done_callback(lambda _: order.append("late"))
            early.add_done_callback(lambda _: order.append("early"))
        await asyncio.gather(late, early)
        await asyncio.sleep(0)

        assert order == ["early", "late"]
        assert await everything(log) == [(0, b"1"), (1, b"2")]


async def test_closing_writes_what_is_queued_and_refuses_the_rest(place: Place) -> None:
    async with place.log() as log:
        await log.ensure_topics(SPECS)
        writes = [log.run(lambda transaction, n=n: transaction.append([record(b"%d" % n)])) for n in range(1000)]  # type: ignore[misc]
    await asyncio.gather(*writes)
    with pytest.raises(LogUnavailable, match="closed"):
        await log.run(lambda _: None)
    async with place.log() as log:
        assert len(await everything(log)) == 1000


async def test_a_full_disk_fails_the_write_and_says_so(place: Place) -> None:
    async with place.log() as log:
        await log.ensure_topics(SPECS)
        await write(log, record(b"before"))
        await full(log)
        with pytest.raises(LogUnavailable, match="full"):
            await write(log, LARGE)

        health = log.health()
        assert (health.writable, health.accepting) == (False, False)
        assert "full" in health.detail


async def test_a_full_disk_fails_all_that_gathered_and_keeps_none_of_it(place: Place) -> None:
    async with place.log() as log:
        await log.ensure_topics(SPECS)
        await full(log)
        async with writer_held(log):
            writes = [log.run(lambda transaction: transaction.append([record(b"small")])) for _ in range(3)]
            writes.append(log.run(lambda transaction: transaction.append([LARGE])))
        found = await asyncio.gather(*writes, return_exceptions=True)
        await freed(log)
        await write(log, record(b"after"))

        assert [type(each) for each in found] == [LogUnavailable] * 4
        assert await everything(log) == [(0, b"after")]


async def test_the_log_is_writable_again_by_itself_when_there_is_room(place: Place) -> None:
    async with place.log() as log:
        await log.ensure_topics(SPECS)
        await full(log)
        with pytest.raises(LogUnavailable):
            await write(log, LARGE)
        assert not log.health().writable
        with pytest.raises(LogFull):
            log.take_intake()
        await freed(log)
        await until(lambda: log.health().accepting or ticks(place.clock), what="the log to find out by itself")
        await write(log, LARGE)

        assert await everything(log) == [(0, LARGE.value)]


async def test_a_commit_of_nothing_does_not_call_a_full_disk_writable(place: Place) -> None:
    async with place.log() as log:
        await log.ensure_topics(SPECS)
        await full(log)
        with pytest.raises(LogUnavailable):
            await write(log, LARGE)
        await log.run(lambda _: None)

        assert not log.health().writable


async def test_topics_that_could_not_be_made_durable_are_made_later(place: Place) -> None:
    """The layout in memory must not know of partitions that were rolled back: what goes there would be lost."""
    many = [TopicSpec(name=f"log.{n}.{'x' * 200}", kind="delivery") for n in range(400)]
    async with place.log() as log:
        await full(log)
        with pytest.raises(LogUnavailable):
            await log.ensure_topics(many)
        await freed(log)
        await log.ensure_topics(many)
        await write(log, record(b"1", topic=many[0].name))
    async with place.log() as log:
        assert await everything(log, many[0].name) == [(0, b"1")]


async def test_a_mismatch_leaves_no_half_made_topics_behind(place: Place) -> None:
    async with place.log(partitions=2) as log:
        await log.ensure_topics([TopicSpec(name=OTHER, kind="delivery")])
    async with place.log(partitions=1) as log:
        with pytest.raises(TopicMismatch, match=f"{OTHER} has 2 partitions, not 1"):
            await log.ensure_topics([*SPECS, TopicSpec(name=OTHER, kind="delivery")])
        await log.ensure_topics(SPECS)
        await write(log, record(b"1"))
    async with place.log(partitions=1) as log:
        assert await everything(log) == [(0, b"1")]


async def test_the_size_cap_closes_intake_and_lets_through_what_was_accepted(place: Place) -> None:
    async with place.log(max_bytes=1 << 19) as log:
        await log.ensure_topics(SPECS)
        async with reading(log, TOPIC, group="slow"):
            await write(log, LARGE)
            await until(lambda: not log.health().accepting or ticks(place.clock), what="intake to close")
            health = log.health()
            with pytest.raises(LogFull, match="size cap"):
                log.take_intake()
            await log.run(lambda transaction: transaction.append([record(b"settled")]))

            assert health.writable
            assert "size cap" in health.detail
        assert [value for _, value in await everything(log)] == [LARGE.value, b"settled"]


async def test_intake_opens_again_when_all_have_read(place: Place) -> None:
    async with place.log(max_bytes=1 << 19) as log:
        await log.ensure_topics(SPECS)
        async with reading(log, TOPIC, group="slow") as subscription:
            await write(log, LARGE)
            await until(lambda: not log.health().accepting or ticks(place.clock), what="intake to close")
            await subscription.commit({Partition(TOPIC, 0): 1})
            await until(lambda: log.health().accepting or ticks(place.clock), what="intake to open")


async def test_too_long_a_queue_closes_intake_only(place: Place) -> None:
    async with place.log() as log:
        await log.ensure_topics(SPECS)
        async with writer_held(log):
            writes = [log.run(lambda _: None) for _ in range(20_000)]
            with pytest.raises(LogFull, match="waiting"):
                log.take_intake()
            assert log.health().writable
        await asyncio.gather(*writes)

        assert log.health().accepting


async def test_the_writer_answers_in_the_order_of_the_queue_across_batches(place: Place) -> None:
    async with place.log() as log:
        await log.ensure_topics(SPECS)
        async with writer_held(log):
            writes = [log.run(lambda transaction, n=n: transaction.append([record(b"%d" % n)])) for n in range(1500)]  # type: ignore[misc]
        await asyncio.gather(*writes)
        async with reading(log, TOPIC) as subscription:
            found = await drain(subscription, 1500)

        assert [each.value for each in found] == [b"%d" % n for n in range(1500)]
        assert max(place.commits) <= 512


async def test_an_operation_that_raises_what_is_no_exception_leaves_nobody_waiting(place: Place) -> None:
    def cancel(_transaction: Transaction) -> None:
        raise asyncio.CancelledError

    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context))
    async with place.log() as log:
        await log.ensure_topics(SPECS)
        writes = [log.run(lambda transaction: transaction.append([record(b"1")])), log.run(cancel)]
        found = await asyncio.gather(*writes, return_exceptions=True)
        await write(log, record(b"2"))

        assert [type(each) for each in found] == [LogUnavailable, LogUnavailable]
        assert await everything(log) == [(0, b"2")]
    assert told


async def test_a_bulk_that_answers_with_stop_iteration_leaves_nobody_waiting(place: Place) -> None:
    def odd(_transaction: Transaction, items: Sequence[int]) -> list[Exception]:
        return [StopIteration() for _ in items]

    async with place.log() as log:
        await log.ensure_topics(SPECS)
        answers: list[asyncio.Future[int]] = [log.run_bulk(odd, number, early=True) for number in range(2)]
        found = await asyncio.wait_for(asyncio.gather(*answers, return_exceptions=True), 5)
        await write(log, record(b"1"))

        assert [type(each) for each in found] == [RuntimeError, RuntimeError]


async def test_what_weighs_much_is_written_in_several_batches(place: Place) -> None:
    async with place.log() as log:
        await log.ensure_topics(SPECS)
        before = len(place.commits)
        many = [record(b"%d" % n) for n in range(400)]
        await asyncio.gather(*(log.run(lambda t: t.append(many), weight=len(many)) for _ in range(5)))

        assert place.commits[before:] == [800, 800, 400]


async def test_a_stranger_who_writes_to_the_file_does_not_hold_the_loop(place: Place) -> None:
    async with place.log() as log:
        await log.ensure_topics(SPECS)
        # In a process of its own: within one, SQLite's locks do not keep two libraries apart.
        stranger = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", STRANGER, str(place.directory / "log.db")),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert stranger.stdout is not None
        await stranger.stdout.readline()
        started = asyncio.get_running_loop().time()
        with pytest.raises(LogUnavailable, match="locked"):
            await write(log, record(b"1"))
        # The bound is loose: the loop once stood still for five seconds.
        assert asyncio.get_running_loop().time() - started < 2
        await stranger.communicate(b"enough\n")
        await write(log, record(b"2"))


async def test_a_log_whose_closing_is_cancelled_is_closed_all_the_same(place: Place) -> None:
    async with place.log() as log:
        await log.ensure_topics(SPECS)
        writing = log.run(lambda transaction: transaction.append([record(b"1")]))
        closing = asyncio.create_task(log._writer.close())
        await asyncio.sleep(0)
        closing.cancel()
        await asyncio.gather(closing, return_exceptions=True)
        await until(lambda: not log._writer._thread.is_alive(), what="the writer to end")
        assert writing.done()
