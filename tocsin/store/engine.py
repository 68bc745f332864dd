"""The store, open for use: transactions that write, and reads beside them that never wait for them.

Whatever is wrong with the database itself leaves here as StoreUnavailable: try again later, nothing was written. What
is wrong with the data given stays a SQLAlchemy error, and would be wrong again.

Several processes may write to one PostgreSQL. So a change compares what it saw with what is there in its own WHERE, and
an insert that may come twice says ON CONFLICT; nothing may rely on being the only writer.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tocsin.errors import SettingsError, StoreUnavailable
from tocsin.store import postgres, reserve, sqlite
from tocsin.store.direct import Direct
from tocsin.store.postgres import PostgresConfig

_EXPECTED = "write sqlite:///<path of the file> or postgresql://<user>@<host>/<database>"


class Store:
    """An open database. Made by `open_store`; used by everything of one event loop."""

    def __init__(
        self,
        *,
        writer: AsyncEngine,
        reader: AsyncEngine,
        owner: AsyncEngine,
        unavailable: Callable[[Exception], bool],
        direct: Direct | None = None,
        turns: asyncio.Lock | None = None,
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._owner = owner
        self._unavailable = unavailable
        self._direct = direct
        self._turns = turns

    @property
    def dialect(self) -> str:
        """Which database it is: `sqlite` or `postgresql`."""
        return self._writer.dialect.name

    async def fetch(self, statement: str, *arguments: object) -> Sequence[Any]:
        """Run one statement of PostgreSQL, with arguments for its $1, $2, …, and return its rows.

        It is a transaction by itself, over the driver alone: a quarter of what it would cost in `write`. Raises
        StoreUnavailable as that does; what is wrong with the arguments stays an error of the driver. No other database
        can be asked so: there it is a bug.
        """
        if self._direct is None:
            raise TypeError("only PostgreSQL takes statements directly")
        with self._translated():
            return await self._direct.fetch(statement, *arguments)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Open a writing transaction: commits on exit, rolls back on error.

        Once the block is left without an error, what it wrote is on disk. Raises StoreUnavailable, with nothing
        written, unless the connection broke during the commit itself: then nobody knows, and the caller does it again.

        On SQLite it is the one writing transaction, after those that asked before. On PostgreSQL several run side by
        side, in as many processes, and each statement sees what others committed before it (READ COMMITTED): two rows
        read one after the other need not be of one moment, and a row that was read may have changed when it is
        written, so write `UPDATE … WHERE` what was seen. Rows that others may write too are written in the order of
        their keys; where two transactions wait for each other all the same, one of them ends as StoreUnavailable.

        Keep it short, and await nothing but the connection in it: others wait.
        """
        async with self._turned(self._writer) as connection:
            yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that reads one snapshot and cannot write. Raises StoreUnavailable."""
        async with self._begun(self._reader) as connection:
            yield connection

    @asynccontextmanager
    async def migrate(self) -> AsyncIterator[AsyncConnection]:
        """Open a writing transaction that may take long, and is the only one of its kind in all processes.

        Raises StoreUnavailable.
        """
        async with AsyncExitStack() as stack:
            if self._turns is not None:
                await stack.enter_async_context(self._turns)
            connection = await stack.enter_async_context(self._begun(self._owner))
            if self._turns is None:
                await postgres.wait_for_turn(connection)
            yield connection

    @asynccontextmanager
    async def _turned(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        async with AsyncExitStack() as stack:
            if self._turns is not None:
                await stack.enter_async_context(self._turns)
            yield await stack.enter_async_context(self._begun(engine))

    @asynccontextmanager
    async def _begun(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        with self._translated():
            async with engine.begin() as connection:
                yield connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except PoolTimeout as error:
            raise StoreUnavailable("the store cannot be used: all of its connections are busy") from error
        except Exception as error:
            if not self._unavailable(error):
                raise
            raise StoreUnavailable(f"the store cannot be used: {_told(error)}") from error


@asynccontextmanager
async def open_store(url: str, *, config: PostgresConfig | None = None) -> AsyncIterator[Store]:
    """Open the database at `url`, without migrating it; `config` is for PostgreSQL.

    `sqlite:///path` is made if it is not there. `postgresql://…` is a URL as libpq has it, with any of its parameters
    that asyncpg knows: sslmode, sslrootcert, several hosts with target_session_attrs, …

    Raises SettingsError if the URL is not one of a database that Tocsin can use, StoreUnavailable if it cannot be
    opened.
    """
    opened = _open_postgres(url, config or PostgresConfig()) if postgres.meant(url) else _open_sqlite(_sqlite_url(url))
    async with opened as store:
        yield store


def _sqlite_url(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise SettingsError(f"store.url is not a database URL; {_EXPECTED}") from None
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        raise SettingsError(f"store.url names {parsed.get_backend_name()!r}; {_EXPECTED}")
    return parsed


@asynccontextmanager
async def _open_sqlite(url: URL) -> AsyncIterator[Store]:
    writer, reader = sqlite.writer(url), sqlite.reader(url)
    store = Store(
        writer=writer,
        reader=reader,
        owner=writer,
        unavailable=sqlite.unavailable,
        turns=asyncio.Lock(),
    )
    path = Path(url.database or "")
    try:
        reserve.give_up(path)
        async with store.write():
            pass  # Finds out now, not at the first record, that the file cannot be opened or written.
        reserve.take(path)
        yield store
    finally:
        # The writer goes last: whoever closes last checkpoints, and only the writer may.
        await reader.dispose()
        await writer.dispose()
        reserve.take(path)


@asynccontextmanager
async def _open_postgres(url: str, config: PostgresConfig) -> AsyncIterator[Store]:
    engines = postgres.engines(url, config)
    store = Store(
        writer=engines.writer,
        reader=engines.reader,
        owner=engines.owner,
        unavailable=postgres.unavailable,
        direct=engines.direct,
    )
    try:
        try:
            async with store.write() as connection:
                await postgres.check(connection)
        except StoreUnavailable as error:
            if isinstance(error.__cause__, OSError):
                raise StoreUnavailable(f"{error}; see store.url, and whether PostgreSQL runs there") from error
            raise
        except (DBAPIError, ValueError) as error:
            if postgres.misconfigured(error):
                raise SettingsError(f"store.url: {_told(error)}") from None
            raise
        yield store
    finally:
        for engine in (engines.writer, engines.reader, engines.owner):
            await engine.dispose()


def _told(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    return postgres.advice(error) or str(postgres.origin(error)) or type(error).__name__
