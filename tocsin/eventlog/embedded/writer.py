"""The one writer: a thread that takes everything that is queued, commits it once, and answers all who wait.

Group commit needs no timer: while one commit syncs, the next batch gathers. Each operation has its own savepoint, so
that one that fails does not fail the others; a commit that fails fails them all, and nothing of it was acknowledged.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

import apsw

from tocsin.clock import Clock, to_ms
from tocsin.errors import LogUnavailable, TocsinError
from tocsin.eventlog.embedded import tables
from tocsin.eventlog.embedded.transaction import Appended, Layout, Transaction
from tocsin.record import Partition

T = TypeVar("T")
_MAX_BATCH = 512

Operation = Callable[[Transaction], T]
# One function for all that is asked of it in a commit: a result, or the error, for each item.
Bulk = Callable[[Transaction, Sequence[Any]], Sequence[T | Exception]]


@dataclass(slots=True)
class _Job(Generic[T]):
    operation: Operation[T] | None
    future: asyncio.Future[T]
    early: bool
    bulk: Bulk[T] | None = None
    item: Any = None
    result: Any = None
    error: Exception | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """What a commit came to: the records written and when (milliseconds), and the seconds it took.

    `changed` is whether anything was written at all: a commit of nothing says nothing about the disk.
    """

    seconds: float
    now_ms: int
    changed: bool = False
    records: Sequence[Appended] = ()
    tails: Mapping[Partition, int] = field(default_factory=dict)
    error: str | None = None


class Writer:
    """Owns the writing connection. Made on the loop that uses it; `start` and `close` bracket its thread."""

    def __init__(self, path: str, *, clock: Clock, on_commit: Callable[[Committed], None]) -> None:
        self._path = path
        self._clock = clock
        self._on_commit = on_commit
        self._queue: SimpleQueue[_Job[Any] | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="tocsin-log-writer", daemon=True)
        self._closing = False
        self._connection: apsw.Connection | None = None
        self.layout = Layout()
        self.queued = 0

    def start(self) -> None:
        """Open the file and start the thread. Raises LogUnavailable if the file cannot be opened."""
        try:
            self._connection = tables.open_writing(self._path)
        except apsw.Error as error:
            raise LogUnavailable(f"cannot open {self._path}: {error}") from error
        self._thread.start()

    async def close(self) -> None:
        """Write what is queued, then end the thread and close the file."""
        self._closing = True
        if self._connection is not None:
            self._queue.put(None)
            await self._loop.run_in_executor(None, self._thread.join)

    def run(self, operation: Operation[T], *, early: bool = False) -> asyncio.Future[T]:
        """Queue an operation; the future has its result once it is on disk.

        With `early` the result comes when the operation has run, a moment before its commit is synced. The future
        fails with LogUnavailable if the commit does. An operation runs on the writer's thread and must not block.
        """
        return self._queued(_Job(operation, self._loop.create_future(), early))

    def run_bulk(self, bulk: Bulk[T], item: Any, *, early: bool = False) -> asyncio.Future[T]:
        """The same for an operation that is asked for often: `bulk` is called once a commit with all of its items."""
        return self._queued(_Job(None, self._loop.create_future(), early, bulk, item))

    def _queued(self, job: _Job[T]) -> asyncio.Future[T]:
        if self._closing:
            job.future.set_exception(LogUnavailable("the event log is closed"))
        else:
            self.queued += 1
            self._queue.put(job)
        return job.future

    def _run(self) -> None:
        connection = self._connection
        assert connection is not None  # noqa: S101 - `start` has set it before the thread runs
        while (jobs := self._take()) is not None:
            committed = self._commit(connection, jobs)
            self._tell(self._answer, jobs, committed)
        connection.close()

    def _take(self) -> list[_Job[Any]] | None:
        first = self._queue.get()
        if first is None:
            return None
        jobs = [first]
        with contextlib.suppress(Empty):
            while len(jobs) < _MAX_BATCH:
                job = self._queue.get_nowait()
                if job is None:
                    self._queue.put(None)
                    break
                jobs.append(job)
        return jobs

    def _commit(self, connection: apsw.Connection, jobs: Sequence[_Job[Any]]) -> Committed:
        started = time.perf_counter()
        transaction = Transaction(connection, self.layout, to_ms(self._clock.now()))
        changes = connection.total_changes()
        try:
            connection.execute("BEGIN IMMEDIATE")
            for group in _grouped(jobs):
                self._execute(transaction, group)
            transaction.flush()
            if any(job.early for job in jobs):
                self._tell(_answer_early, jobs)
            connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - whatever it is, this thread goes on, and all who wait are told
            _roll_back(connection)
            for job in jobs:
                job.error = LogUnavailable(f"the event log cannot be written: {error}")
            seconds = time.perf_counter() - started
            return Committed(seconds=seconds, now_ms=transaction.now_ms, error=str(error))
        self.layout.tails.update(transaction.tails)
        return Committed(
            seconds=time.perf_counter() - started,
            now_ms=transaction.now_ms,
            changed=connection.total_changes() != changes,
            records=transaction.appended,
            tails=transaction.tails,
        )

    def _execute(self, transaction: Transaction, jobs: Sequence[_Job[Any]]) -> None:
        """Run what belongs together in a savepoint. An SQLite error is everybody's; any other is their own."""
        connection = transaction.connection
        mark = transaction.mark()
        connection.execute("SAVEPOINT operation")
        try:
            _run_jobs(transaction, jobs)
        except apsw.Error:
            raise
        except Exception as error:  # noqa: BLE001 - it belongs to whoever awaits the operation
            for job in jobs:
                job.error = error if isinstance(error, TocsinError) else _foreign(error)
            transaction.back_to(mark)
            connection.execute("ROLLBACK TO operation")
        connection.execute("RELEASE operation")

    def _tell(self, callback: Callable[..., None], *args: Any) -> None:
        # The loop is gone only when the process is being torn down around us: then nobody waits for an answer.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(callback, *args)

    def _answer(self, jobs: Sequence[_Job[Any]], committed: Committed) -> None:
        self.queued -= len(jobs)
        try:
            self._on_commit(committed)
        finally:
            for job in jobs:
                _resolve(job)


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
        first.result = first.operation(transaction)
        return
    results = first.bulk(transaction, [job.item for job in jobs])
    for job, result in zip(jobs, results, strict=True):
        if isinstance(result, Exception):
            job.error = result
        else:
            job.result = result


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


def _answer_early(jobs: Sequence[_Job[Any]]) -> None:
    for job in jobs:
        if job.early:
            _resolve(job)


def _resolve(job: _Job[Any]) -> None:
    if job.future.done():
        return
    if job.error is not None:
        job.future.set_exception(job.error)
    else:
        job.future.set_result(job.result)
