"""SQLite as the store: how its connections are set up, and which of its errors are the machine's fault.

The file is opened through Python's own SQLite only, and one connection alone writes and checkpoints: SQLite before
3.51.3 can corrupt a WAL database when one connection commits while another checkpoints. Readers never do either.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import aiosqlite
from sqlalchemy import URL, Connection, event
from sqlalchemy.exc import DatabaseError, DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

_READERS = 4
_READER_WAIT_SECONDS = 10
_BUSY_MILLISECONDS = 5_000

# FULL: a commit that returned survives a power cut. The cache holds the hot ends of the indexes of a big audit.
_WRITER_PRAGMAS = (
    f"busy_timeout = {_BUSY_MILLISECONDS}",
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = ON",
    "cache_size = -4096",
    "wal_autocheckpoint = 8000",
    "journal_size_limit = 67108864",
    "temp_store = MEMORY",
)
_READER_PRAGMAS = (
    f"busy_timeout = {_BUSY_MILLISECONDS}",
    "query_only = ON",
    "temp_store = MEMORY",
)


def writer(url: URL) -> AsyncEngine:
    """Return the engine of the one connection that writes. Its transactions take the write lock at their start."""
    return _engine(url, size=1, pragmas=_WRITER_PRAGMAS, begin="BEGIN IMMEDIATE")


def reader(url: URL) -> AsyncEngine:
    """Return the engine of the connections that read. Each of their transactions sees one snapshot."""
    return _engine(url, size=_READERS, pragmas=_READER_PRAGMAS, begin="BEGIN")


def unavailable(error: Exception) -> bool:
    """Return whether the error is the store's (disk full, locked, I/O, no such table), not that of the data given.

    Corruption comes as a bare DatabaseError. What is left (IntegrityError, DataError, values that cannot be bound)
    would come back with the same data on a healthy store.
    """
    if not isinstance(error, DBAPIError):
        return False
    return isinstance(error, OperationalError) or type(error) is DatabaseError or error.connection_invalidated


def _engine(url: URL, *, size: int, pragmas: tuple[str, ...], begin: str) -> AsyncEngine:
    engine = create_async_engine(
        url.set(drivername="sqlite+aiosqlite"),
        pool_size=size,
        max_overflow=0,
        pool_timeout=_READER_WAIT_SECONDS,
        hide_parameters=True,
        # Python's sqlite3 would begin transactions by itself, deferred and not before reads; `begin` below does it.
        connect_args={"isolation_level": None, "async_creator_fn": _connect},
    )
    event.listen(engine.sync_engine, "connect", _set_up(pragmas))
    event.listen(engine.sync_engine, "begin", _beginning(begin))
    event.listen(engine.sync_engine, "invalidate", _give_up)
    return engine


async def _connect(*args: Any, **options: Any) -> aiosqlite.Connection:
    """Return a connection whose thread does not outlive a failure to open the file.

    aiosqlite asks the thread to end and does not wait for it; on a loop that ends first, as after a start that
    failed, the thread would print a traceback below the message that says what to do.
    """
    connection = aiosqlite.connect(*args, **options)
    thread = connection._thread  # noqa: SLF001 - as SQLAlchemy's own adapter does
    thread.daemon = True
    try:
        return await connection
    except BaseException:
        await asyncio.to_thread(thread.join)
        raise


def _set_up(pragmas: tuple[str, ...]) -> Callable[[Any, Any], None]:
    def set_up(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        try:
            for pragma in pragmas:
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()
        except BaseException:
            # The pool forgets a connection that was not set up, and its thread would go on.
            connection.close()
            raise

    return set_up


def _give_up(connection: Any, _record: Any, _error: BaseException | None) -> None:
    """End the transaction of a connection that is thrown away because its caller was cancelled.

    Closing it is not enough: while a cursor is still referred to, from a traceback say, SQLite keeps the connection
    and its lock. The rollback goes into the queue of the connection's thread, before the close.
    """
    driver = connection.driver_connection
    if (raw := driver._connection) is not None:  # noqa: SLF001 - as SQLAlchemy's own adapter does
        raw.interrupt()
        driver._tx.put_nowait((None, raw.rollback))  # noqa: SLF001


def _beginning(statement: str) -> Callable[[Connection], None]:
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(statement)

    return begin
