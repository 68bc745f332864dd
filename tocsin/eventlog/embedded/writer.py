"""The one writer: what is queued is written in one transaction and synced once, and all who wait are answered.

Group commit needs no timer: while one commit syncs, the next batch gathers. The statements run on the loop and only
the commit, which waits for the disk, on a thread: each step of SQLite gives the interpreter's lock away, and a thread
has to win it back from a busy loop every time (docs/adr/0006). What takes long by itself runs on the thread as a whole.

An operation that fails is left out and the others run again without it; a commit that fails fails them all, and
nothing of it was acknowledged.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

import apsw

from tocsin.clock import Clock, to_ms
from tocsin.errors import LogUnavailable, TocsinError
from tocsin.eventlog.embedded import tables
from tocsin.eventlog.embedded.transaction import Layout, Transaction
from tocsin.record import Partition, Record

T = TypeVar("T")
_MAX_BATCH = 512
# What a batch may hold of what weighs more than one: its statements run on the loop, in one stretch.
_MAX_WEIGHT = 1000

Operation = Callable[[Transaction], T]
# One function for all that is asked of it in a commit: a result, or the error, for each item.
Bulk = Callable[[Transaction, Sequence[Any]], Sequence[T | Exception]]


@dataclass(slots=True, eq=False)
class _Job(Generic[T]):
    operation: Operation[T] | None
    future: asyncio.Future[T]
    early: bool = False
    apart: bool = False
    weight: int = 1
    bulk: Bulk[T] | None = None
    item: Any = None
    result: Any = None
    error: Exception | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """What a commit came to: the records written to each partition and when (milliseconds), and the seconds it took.

    `changed` is whether anything was written at all: a commit of nothing says nothing about the disk.
    """

    seconds: float
    now_ms: int
    changed: bool = False
    records: Mapping[Partition, Sequence[Record]] = field(default_factory=dict)
    tails: Mapping[Partition, int] = field(default_factory=dict)
    error: str | None = None

    @property
    def count(self) -> int:
        """How many records were written."""
        return sum(map(len, self.records.values()))


class Writer:
    """Owns the writing connection. Made on the loop that uses it; `start` and `close` bracket its thread."""

    def __init__(self, path: str, *, clock: Clock, on_commit: Callable[[Committed], None]) -> None:
        self._path = path
        self._clock = clock
        self._on_commit = on_commit
        self._loop = asyncio.get_running_loop()
        self._waiting: list[_Job[Any]] = []
        # One batch at a time has the connection: on the loop, then on the thread.
        self._busy = False
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="tocsin-log-writer", daemon=True)
        self._closing = False
        self._opened: apsw.Connection | None = None
        self.layout = Layout()
        self.queued = 0

    def start(self) -> None:
        """Open the file and start the thread. Raises LogUnavailable if the file cannot be opened."""
        try:
            self._opened = tables.open_writing(self._path)
        except apsw.Error as error:
            raise LogUnavailable(f"cannot open {self._path}: {error}") from error
        self._thread.start()

    async def close(self) -> None:
        """Write what is queued, then end the thread and close the file."""
        self._closing = True
        if self._opened is not None:
            if not self._busy:
                self._work.put(None)
            await self._loop.run_in_executor(None, self._thread.join)

    def run(
        self, operation: Operation[T], *, early: bool = False, apart: bool = False, weight: int = 1
    ) -> asyncio.Future[T]:
        """Queue an operation; the future has its result once it is on disk.

        With `early` the result comes when the operation has run, before its commit is synced. `apart` is for what
        takes long: it runs on the writer's thread. `weight` is how many rows it writes, about. An operation must not
        block, and may run again if another one of its batch fails. The future fails with LogUnavailable if the commit
        does.
        """
        return self._queued(_Job(operation, self._loop.create_future(), early, apart, weight))

    def run_bulk(self, bulk: Bulk[T], item: Any, *, early: bool = False) -> asyncio.Future[T]:
        """The same for an operation that is asked for often: `bulk` is called once a commit with all of its items."""
        return self._queued(_Job(None, self._loop.create_future(), early, bulk=bulk, item=item))

    def _queued(self, job: _Job[T]) -> asyncio.Future[T]:
        if self._closing:
            job.future.set_exception(LogUnavailable("the event log is closed"))
            return job.future
        self.queued += 1
        self._waiting.append(job)
        if not self._busy:
            self._busy = True
            self._loop.call_soon(self._begin)
        return job.future

    def _begin(self) -> None:
        """Write the next batch: what was queued while the last one synced."""
        jobs = self._taken()
        batch = _Batch(jobs, self._connection, self.layout, self._clock)
        if any(job.apart for job in jobs):
            self._work.put(lambda: self._finish(batch, batch.write() and batch.sync()))
            return
        try:
            written = batch.write()
        except BaseException:
            self._answer(batch)
            raise
        if not written:
            self._answer(batch)
            return
        self._work.put(lambda: self._finish(batch, batch.sync()))
        for job in jobs:
            if job.early:
                _resolve(job)

    def _taken(self) -> list[_Job[Any]]:
        count, weight = 0, 0
        for job in self._waiting[:_MAX_BATCH]:
            weight += job.weight
            if count and weight > _MAX_WEIGHT:
                break
            count += 1
        jobs = self._waiting[:count]
        del self._waiting[:count]
        return jobs

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            work()
        self._connection.close()

    def _finish(self, batch: "_Batch", _done: bool) -> None:
        # The loop is gone only when the process is being torn down around us: then nobody waits for an answer.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._answer, batch)

    def _answer(self, batch: "_Batch") -> None:
        self.queued -= len(batch.jobs)
        committed = batch.committed()
        self.layout.tails.update(committed.tails)
        try:
            self._on_commit(committed)
        finally:
            for job in batch.jobs:
                _resolve(job)
            if self._waiting:
                self._loop.call_soon(self._begin)
            else:
                self._busy = False
                if self._closing:
                    self._work.put(None)

    @property
    def _connection(self) -> apsw.Connection:
        assert self._opened is not None  # noqa: S101 - `start` comes first
        return self._opened


class _Batch:
    """Jobs that share a transaction. Used by one thread at a time."""

    def __init__(self, jobs: Sequence[_Job[Any]], connection: apsw.Connection, layout: Layout, clock: Clock) -> None:
        self.jobs = jobs
        self._connection = connection
        self._layout = layout
        self._started = time.perf_counter()
        self._seconds = 0.0
        self._now_ms = to_ms(clock.now())
        self._changes = connection.total_changes()
        self._changed = False
        self._transaction: Transaction | None = None
        self._error: str | None = None

    def write(self) -> bool:
        """Run the operations, all but those that fail; return whether there is something to sync."""
        try:
            left = self.jobs
            while (failed := self._attempt(left)) is not None:
                self._connection.execute("ROLLBACK")
                left = [job for job in left if job not in failed]
        except BaseException as error:
            # Whatever it is, the writer goes on, and all who wait are told.
            self._fail(error)
            if not isinstance(error, Exception):
                raise
            return False
        return True

    def sync(self) -> bool:
        """Commit; return whether it is on disk."""
        try:
            self._connection.execute("COMMIT")
            self._changed = self._connection.total_changes() != self._changes
        except Exception as error:  # noqa: BLE001 - as above
            self._fail(error)
            return False
        self._seconds = time.perf_counter() - self._started
        return True

    def committed(self) -> Committed:
        """Return what has come of it."""
        done = self._transaction if self._error is None else None
        return Committed(
            seconds=self._seconds,
            now_ms=self._now_ms,
            changed=self._changed,
            records=done.appended if done else {},
            tails=done.tails if done else {},
            error=self._error,
        )

    def _attempt(self, jobs: Sequence[_Job[Any]]) -> Sequence[_Job[Any]] | None:
        """Run the operations in a transaction; return those that failed of themselves, None if none did.

        An SQLite error is everybody's, and raised.
        """
        transaction = self._transaction = Transaction(self._connection, self._layout, self._now_ms)
        self._connection.execute("BEGIN IMMEDIATE")
        for group in _grouped(jobs):
            try:
                _run_jobs(transaction, group)
            except apsw.Error:
                raise
            except Exception as error:  # noqa: BLE001 - it belongs to whoever awaits the operation
                for job in group:
                    job.error = error if isinstance(error, TocsinError) else _foreign(error)
                return group
        transaction.flush()
        return None

    def _fail(self, error: BaseException) -> None:
        _roll_back(self._connection)
        self._error = str(error)
        self._seconds = time.perf_counter() - self._started
        for job in self.jobs:
            job.error = LogUnavailable(f"the event log cannot be written: {error}")


def _grouped(jobs: Sequence[_Job[Any]]) -> list[list[_Job[Any]]]:
    """Return the jobs in groups: one alone, or all of the same bulk; in the order in which they were asked for."""
    groups: list[list[_Job[Any]]] = []
    bulks: dict[Any, list[_Job[Any]]] = {}
    for job in jobs:
        if job.bulk is None:
            groups.append([job])
        elif job.bulk in bulks:
            bulks[job.bulk].append(job)
        else:
            bulks[job.bulk] = [job]
            groups.append(bulks[job.bulk])
    return groups


def _run_jobs(transaction: Transaction, jobs: Sequence[_Job[Any]]) -> None:
    first = jobs[0]
    if first.bulk is None:
        assert first.operation is not None  # noqa: S101 - it is one or the other
        first.result, first.error = first.operation(transaction), None
        return
    results = first.bulk(transaction, [job.item for job in jobs])
    for job, result in zip(jobs, results, strict=True):
        failed = isinstance(result, Exception)
        job.result, job.error = (None, _foreign(result)) if failed else (result, None)


def _foreign(error: Exception) -> Exception:
    """Return a bug's exception as a future can carry it."""
    if not isinstance(error, StopIteration):
        return error
    told = RuntimeError("an operation of the event log raised StopIteration")
    told.__cause__ = error
    return told


def _roll_back(connection: apsw.Connection) -> None:
    with contextlib.suppress(apsw.Error):
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _resolve(job: _Job[Any]) -> None:
    if job.future.done():
        return
    if job.error is not None:
        job.future.set_exception(job.error)
    else:
        job.future.set_result(job.result)
