"""A service's own database: SQLite in a file, or PostgreSQL by URL, through the same statements.

On SQLite there is one connection, and so one transaction at a time: a file belongs to one copy of a service. On
PostgreSQL several copies share the database, and whoever is about to change an order takes its row's lock first.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, MetaData, Table, event, insert, make_url, select, text
from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
from sqlalchemy.dialects.sqlite import Insert as SqliteInsert
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from examples.shop.kit import tables
from examples.shop.kit.settings import ShopSettingsError

_PRAGMAS = ("busy_timeout = 5000", "journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON")
_POSTGRES = frozenset({"postgresql", "postgres"})
_CONNECTIONS = 8
_TIMEOUT_SECONDS = 15
# SQLSTATE: two transactions stood in each other's way, and one of them was ended.
_COLLISIONS = frozenset({"40001", "40P01"})
# SQLSTATE classes that are the fault of what was given, and would be wrong again.
_DATA = frozenset({"21", "22", "23", "44", "54"})
# Any number, always the same: who makes the tables holds the lock of this name.
_MAKING = 0x73686F70


class DatabaseUnavailable(Exception):
    """The database cannot be used now. Nothing was written: try again later."""


class Collision(DatabaseUnavailable):
    """Two transactions waited for each other, and this one was ended: try again, in smaller pieces."""


class Database:
    """An open database. Made by `open_database`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @property
    def shared(self) -> bool:
        """Whether other processes may write to it, too."""
        return self._engine.dialect.name == "postgresql"

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction: commits on exit, rolls back on error. Raises DatabaseUnavailable.

        Await nothing but the connection in it: on SQLite everybody else waits. On PostgreSQL each statement sees what
        others committed before it (READ COMMITTED).
        """
        with _translated():
            async with self._engine.begin() as connection:
                yield connection

    async def make(self, own: MetaData, *, service: str) -> None:
        """Make the service's tables and those of the kit where they are missing.

        Raises ShopSettingsError if the database is another service's.
        """
        async with self.begin() as connection:
            if self.shared:
                await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MAKING})
            await connection.run_sync(tables.METADATA.create_all)
            found = await connection.scalar(select(tables.owner.c.service))
            if found is None:
                await connection.execute(insert(tables.owner), {"service": service})
            elif found != service:
                raise ShopSettingsError(f"the database of {service} is that of {found}: give each service its own")
            await connection.run_sync(own.create_all)


@asynccontextmanager
async def open_database(url: str) -> AsyncIterator[Database]:
    """Open the database at `url`: sqlite:///path (made if missing) or postgresql://… as libpq has it.

    Raises ShopSettingsError for any other URL. It connects when it is first used.
    """
    engine = _postgres(url) if url.partition("://")[0] in _POSTGRES else _sqlite(url)
    try:
        yield Database(engine)
    finally:
        await engine.dispose()


def upsert(connection: AsyncConnection, table: Table) -> Any:
    """Return an INSERT with `on_conflict_do_nothing` and `on_conflict_do_update`.

    SQLite's and PostgreSQL's share those methods and no base that has them, hence `Any`.
    """
    return PostgresInsert(table) if connection.dialect.name == "postgresql" else SqliteInsert(table)


def _sqlite(url: str) -> AsyncEngine:
    parsed = _parsed(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        raise ShopSettingsError("a database URL is sqlite:///<path> or postgresql://<user>@<host>/<database>")
    Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(
        parsed.set(drivername="sqlite+aiosqlite"),
        poolclass=AsyncAdaptedQueuePool,
        pool_size=1,
        max_overflow=0,
        pool_timeout=_TIMEOUT_SECONDS,
        hide_parameters=True,
        # Python's sqlite3 would begin transactions by itself, and not before reads; `_begin` does it.
        connect_args={"isolation_level": None},
    )
    event.listen(engine.sync_engine, "connect", _set_up)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except ArgumentError:
        raise ShopSettingsError("a database URL is sqlite:///<path> or postgresql://<user>@<host>/<database>") from None


def _postgres(url: str) -> AsyncEngine:
    return create_async_engine(
        "postgresql+asyncpg://",
        pool_size=_CONNECTIONS,
        max_overflow=0,
        pool_timeout=_TIMEOUT_SECONDS,
        pool_pre_ping=True,
        hide_parameters=True,
        isolation_level="READ COMMITTED",
        connect_args={"dsn": url, "timeout": 5, "command_timeout": _TIMEOUT_SECONDS},
    )


def _set_up(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    # A transaction that reads first and writes then could find that another process wrote in between.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except PoolTimeout as error:
        raise DatabaseUnavailable("all of the database's connections are busy") from error
    except (DBAPIError, OSError) as error:
        if (translated := _told(error)) is None:
            raise
        raise translated from error


def _told(error: DBAPIError | OSError) -> DatabaseUnavailable | None:
    """Return the error as the database's, None if what was given to it is at fault."""
    if isinstance(error, OSError):
        return DatabaseUnavailable("the database cannot be reached")
    state = getattr(error.orig, "sqlstate", None)
    if state in _COLLISIONS:
        return Collision("another transaction was in the way")
    if state is not None:
        return None if state[:2] in _DATA else DatabaseUnavailable(f"the database answers SQLSTATE {state}")
    if isinstance(error, OperationalError) or type(error) is DatabaseError or error.connection_invalidated:
        return DatabaseUnavailable(f"the database cannot be used: {type(error.orig).__name__}")
    return None
