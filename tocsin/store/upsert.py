"""`INSERT … ON CONFLICT`, which SQLite and PostgreSQL spell alike and SQLAlchemy builds apart."""

from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
from sqlalchemy.dialects.sqlite import Insert as SqliteInsert
from sqlalchemy.ext.asyncio import AsyncConnection


def insert(connection: AsyncConnection, table: Table) -> Any:
    """Return an INSERT for the connection's database with `on_conflict_do_nothing` and `on_conflict_do_update`.

    The two classes share those methods and no base that has them, hence `Any`.
    """
    return PostgresInsert(table) if connection.dialect.name == "postgresql" else SqliteInsert(table)


def text(connection: AsyncConnection, statement: Any, columns: tuple[str, ...]) -> str:
    """Return an INSERT of these columns as SQL for `connection.exec_driver_sql`, to run on tuples in their order.

    For hot paths with plain values only: no type of SQLAlchemy's gets to convert them. Raises ValueError where the
    columns are not in the order of the table.
    """
    compiled = statement.compile(dialect=connection.dialect, column_keys=list(columns))
    if tuple(compiled.positiontup or ()) != columns:
        raise ValueError(f"the columns of {statement.table.name} are not given in the order of the table")
    return str(compiled)
