"""The store, open for use: one writing transaction at a time, and reads beside it that never wait for it.

Whatever is wrong with the database itself leaves here as StoreUnavailable: try again later, nothing was written. What
is wrong with the data given stays a SQLAlchemy error, and would be wrong again.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tocsin.errors import SettingsError, StoreUnavailable
from tocsin.store import reserve, sqlite


class Store:
    """An open database. Made by `open_store`; used by everything of one event loop."""

    def __init__(self, *, writer: AsyncEngine, reader: AsyncEngine) -> None:
        self._writer = writer
        self._reader = reader
        self._writing = asyncio.Lock()

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Open the one writing transaction, after those that asked before: commits on exit, rolls back on error.

        Once the block is left without an error, what it wrote is on disk. Raises StoreUnavailable, with nothing
        written. Keep it short, and await nothing but the connection in it: all other writers wait.
        """
        async with self._writing:
            with _translated():
                async with self._writer.begin() as connection:
                    yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that reads one snapshot and cannot write. Raises StoreUnavailable."""
        with _translated():
            async with self._reader.begin() as connection:
                yield connection


@asynccontextmanager
async def open_store(url: str) -> AsyncIterator[Store]:
    """Open the database at `url` (`sqlite:///path`), made if it is not there, without migrating it.

    Raises SettingsError if the URL is not one of a database that Tocsin can use, StoreUnavailable if it cannot be
    opened.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise SettingsError("store.url is not a database URL; write sqlite:///<path of the file>") from None
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        raise SettingsError(f"store.url names {parsed.get_backend_name()!r}; write sqlite:///<path of the file>")
    writer, reader = sqlite.writer(parsed), sqlite.reader(parsed)
    store, path = Store(writer=writer, reader=reader), Path(parsed.database)
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


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        if sqlite.unavailable(error):
            raise StoreUnavailable(f"the store cannot be used: {error.orig}") from error
        raise
    except PoolTimeout as error:
        raise StoreUnavailable("the store cannot be used: all of its connections are busy") from error
