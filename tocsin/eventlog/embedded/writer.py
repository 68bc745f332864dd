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
from tocsin.eventlog.embedded.transaction import Layout, Transaction
from tocsin.record import Partition

T = TypeVar("T")
_MAX_BATCH = 512

Operation = Callable[[Transaction], T]


@dataclass(slots=True)
class _Job(Generic[T]):
    operation: Operation[T]
    future: asyncio.Future[T]
    early: bool
    result: Any = None
    error: Exception | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """What a commit came to: records written, seconds taken, and the new tails of the partitions it grew.

    `changed` is whether anything was written at all: a commit of nothing says nothing about the disk.
    """

    records: int
    seconds: float
    changed: bool = False
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
        future: asyncio.Future[T] = self._loop.create_future()
        if self._closing:
            future.set_exception(LogUnavailable("the event log is closed"))
            return future
        self.queued += 1
        self._queue.put(_Job(operation, future, early))
        return future

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
            for job in jobs:
                self._execute(transaction, job)
            if any(job.early for job in jobs):
                self._tell(_answer_early, jobs)
            connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - whatever it is, this thread goes on, and all who wait are told
            _roll_back(connection)
            for job in jobs:
                job.error = LogUnavailable(f"the event log cannot be written: {error}")
            return Committed(records=0, seconds=time.perf_counter() - started, error=str(error))
        self.layout.tails.update(transaction.tails)
        seconds = time.perf_counter() - started
        changed = connection.total_changes() != changes
        return Committed(records=transaction.appended, seconds=seconds, changed=changed, tails=transaction.tails)

    def _execute(self, transaction: Transaction, job: _Job[Any]) -> None:
        """Run one operation in a savepoint. An SQLite error is everybody's; any other is the operation's own."""
        connection = transaction.connection
        tails, appended = dict(transaction.tails), transaction.appended
        connection.execute("SAVEPOINT operation")
        try:
            job.result = job.operation(transaction)
        except apsw.Error:
            raise
        except Exception as error:  # noqa: BLE001 - it belongs to whoever awaits the operation
            job.error = error if isinstance(error, TocsinError) else _foreign(error)
            transaction.tails, transaction.appended = tails, appended
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
