"""Statements straight over the driver, for those that run hundreds of times a second. PostgreSQL's alone.

Of what a short statement costs, SQLAlchemy's layers are three quarters. So only the connections are SQLAlchemy's: they
come from its pool, are tried and thrown away as everywhere else, and go back to it.
"""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import await_only, greenlet_spawn


class Direct:
    """Runs statements on the connections of an engine; each is a transaction by itself.

    It takes one way to the server and back, as there is no BEGIN and no COMMIT. With `nameless`, statements have no
    names: to prepare and to run one takes two ways, which behind a pooler only a transaction keeps together. `lost`
    tells the errors of a connection that is of no use any more, although it is open.
    """

    def __init__(self, engine: AsyncEngine, *, nameless: bool, lost: Callable[[BaseException], bool]) -> None:
        self._engine = engine.sync_engine
        self._nameless = nameless
        self._lost = lost

    async def fetch(self, statement: str, *arguments: object) -> Sequence[Any]:
        """Return the rows of a statement. Raises what SQLAlchemy's pool does, and the errors of asyncpg."""
        return await greenlet_spawn(self._fetch, statement, arguments)

    def _fetch(self, statement: str, arguments: Sequence[object]) -> Sequence[Any]:
        """Runs in a greenlet, where the pool can wait for connections that open and close."""
        pooled = self._engine.raw_connection()
        driver: Any = pooled.driver_connection
        try:
            return await_only(self._run(driver, statement, arguments))
        except BaseException as error:
            if driver.is_closed() or self._lost(error):
                # And with it all that are no younger, as SQLAlchemy does.
                self._engine.pool._invalidate(pooled, error)  # noqa: SLF001
            elif isinstance(error, TimeoutError) or not isinstance(error, Exception):
                # It was broken off: nobody knows whether the connection answers, and what.
                pooled.invalidate(error)
            raise
        finally:
            pooled.close()

    async def _run(self, driver: Any, statement: str, arguments: Sequence[object]) -> Sequence[Any]:
        if self._nameless:
            async with driver.transaction(isolation="read_committed"):
                rows: Sequence[Any] = await driver.fetch(statement, *arguments)
        else:
            rows = await driver.fetch(statement, *arguments)
        return rows
