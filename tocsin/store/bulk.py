"""Many rows of several tables in one go: what a sink writes for a batch.

On SQLite all of it is one errand of the connection's thread, with few steps of SQLite: each errand waits for a turn of
a busy loop, and each step gives the interpreter's lock away and has to win it back, which costs more than the row.
Other databases get the rows of a table in one trip.
"""

import sqlite3
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

# Few sizes, so that their statements stay prepared.
_CHUNKS = (128, 32, 8, 1)


class Insert(NamedTuple):
    """An INSERT of one row, as `upsert.text` writes it, and the rows for it. No two of them may conflict."""

    statement: str
    rows: Sequence[tuple[Any, ...]]


async def write(connection: AsyncConnection, inserts: Sequence[Insert]) -> None:
    """Run the inserts in order. Raises what SQLAlchemy raises."""
    if connection.dialect.name == "sqlite":
        await _write_sqlite(connection, inserts)
        return
    for insert in inserts:
        if insert.rows:
            await connection.exec_driver_sql(insert.statement, list(insert.rows))


async def _write_sqlite(connection: AsyncConnection, inserts: Sequence[Insert]) -> None:
    raw = await connection.get_raw_connection()
    driver: Any = raw.driver_connection
    try:
        await driver._execute(_run, driver._conn, inserts)  # noqa: SLF001 - as SQLAlchemy's own adapter does
    except sqlite3.Error as error:
        raise DBAPIError.instance(
            None, None, error, sqlite3.Error, hide_parameters=True, dialect=connection.dialect
        ) from error


def _run(connection: sqlite3.Connection, inserts: Sequence[Insert]) -> None:
    for statement, rows in inserts:
        start = 0
        while start < len(rows):
            size = next(size for size in _CHUNKS if size <= len(rows) - start)
            values = tuple(chain.from_iterable(rows[start : start + size]))
            connection.execute(_of_rows(statement, len(rows[start]), size), values)
            start += size


@lru_cache(maxsize=256)
def _of_rows(statement: str, columns: int, size: int) -> str:
    """Return the INSERT for so many rows. Raises ValueError where it has no list of so many values."""
    one = "(" + ", ".join("?" * columns) + ")"
    before, found, after = statement.partition(f"VALUES {one}")
    if not found:
        raise ValueError(f"no INSERT of {columns} values: {statement}")
    return f"{before}VALUES {', '.join([one] * size)}{after}"
