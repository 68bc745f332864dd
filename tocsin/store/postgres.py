"""PostgreSQL as the store: how its connections are set up, and which of its errors are the machine's fault.

Every connection is bounded in time, tried before it is used after a pause, and thrown away once it is broken: a server
that was restarted, or a failover to another one, costs those transactions that ran, and heals by itself.
"""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from sqlalchemy import ExceptionContext, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from tocsin.errors import SettingsError
from tocsin.store import trusted

_SCHEMES = frozenset({"postgresql", "postgres", "postgresql+asyncpg"})
# Some URLs that are made for a pooler say so, in the words of another client: see `PostgresConfig.prepared_statements`.
_POOLER = "pgbouncer"
# Any number, always the same: who migrates holds the lock of this name.
_MIGRATION_LOCK = 0x746F6373696E
# SQLSTATE classes that are the fault of the data given: bad values, broken constraints, rows that are too large.
# Everything else (connection, resources, operator, a standby, a table that is not there) is the database's.
_DATA = frozenset({"21", "22", "23", "44", "54"})
_READ_ONLY = "25006"
_LOST_STATEMENTS = frozenset({"26000", "42P05"})
_MENDS = {
    "28000": "make the role and let it in (configs/database/postgresql.toml), or name another in store.url",
    "28P01": "give its password in store.url, or name the file that holds it in store.password_file",
    "3D000": "make it (configs/database/postgresql.toml), or name another in store.url",
}
_FILES = frozenset({"sslrootcert", "sslcert", "sslkey", "sslcrl"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresConfig:
    """How PostgreSQL is used.

    `write_connections` and `read_connections` are each process's most; whoever finds none free waits `command_timeout`
    for one. `prepared_statements` must be off behind a pooler that gives each transaction another connection
    (PgBouncer and Supavisor in transaction mode). A connection that was in use less than `untried` ago is not tried
    before it is used again.
    """

    write_connections: int = 8
    read_connections: int = 8
    connect_timeout: timedelta = timedelta(seconds=5)
    command_timeout: timedelta = timedelta(seconds=15)
    prepared_statements: bool = True
    untried: timedelta = timedelta(seconds=1)


class Engines(NamedTuple):
    """`owner` is for what may take long: migrations.

    `alone` shares the writer's connections, and each of its statements commits by itself. Where statements have no
    names it is the writer itself: to prepare and to run one takes two ways, which only a transaction keeps together.
    """

    writer: AsyncEngine
    alone: AsyncEngine
    reader: AsyncEngine
    owner: AsyncEngine


def meant(url: str) -> bool:
    """Return whether it is a URL of PostgreSQL at all."""
    return url.partition("://")[0] in _SCHEMES


def engines(url: str, config: PostgresConfig) -> Engines:
    """Return engines that connect when they are used. Raises SettingsError for a URL that is none."""
    dsn, pooled = _dsn(url)
    arguments: dict[str, Any] = {"dsn": dsn, "timeout": config.connect_timeout.total_seconds()}
    nameless = pooled or not config.prepared_statements
    if nameless:
        # Statements without a name live as long as they run, and leave nothing behind for the connection's next user.
        arguments |= {
            "statement_cache_size": 0,
            "prepared_statement_cache_size": 0,
            "prepared_statement_name_func": str,
        }
    bounded = arguments | {"command_timeout": config.command_timeout.total_seconds()}
    pooling: dict[str, Any] = {
        "connect_args": bounded,
        "max_overflow": 0,
        "pool_timeout": config.command_timeout.total_seconds(),
    }
    writer = _engine(pool_size=config.write_connections, isolation_level="READ COMMITTED", **pooling)
    event.listen(writer.sync_engine, "handle_error", _leave_standby)
    reader = _engine(pool_size=config.read_connections, isolation_level="REPEATABLE READ", **pooling)
    for engine in (writer, reader):
        trusted.watch(engine, untried=config.untried)
    return Engines(
        writer=writer,
        alone=writer if nameless else writer.execution_options(isolation_level="AUTOCOMMIT"),
        reader=reader.execution_options(postgresql_readonly=True),
        owner=_engine(connect_args=arguments, poolclass=NullPool, isolation_level="READ COMMITTED"),
    )


async def check(connection: AsyncConnection) -> None:
    """Find out now, not at the first record, what is wrong with the database. Raises SettingsError."""
    encoding = await connection.scalar(text("SHOW server_encoding"))
    if encoding != "UTF8":
        raise SettingsError(f"store.url names a database in {encoding}; make one with ENCODING 'UTF8'")


async def wait_for_turn(connection: AsyncConnection) -> None:
    """Wait until no other transaction migrates, in whichever process, and keep others waiting until this one ends."""
    await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})


def unavailable(error: Exception) -> bool:
    """Return whether the error is the store's, not that of the data given.

    The network's errors come as they are, those of the server with a SQLSTATE. Without one it is the driver that
    complains: of a value that it cannot send, which would come back with the same data, or of a lost connection.
    """
    if not isinstance(error, DBAPIError):
        return isinstance(error, OSError)  # TimeoutError is one
    state = getattr(error.orig, "sqlstate", None)
    if state is None:
        return not isinstance(getattr(error.orig, "__cause__", None), ValueError)
    return state[:2] not in _DATA


def _leave_standby(context: ExceptionContext) -> None:
    """Throw the connections away that lead to what is no longer the primary: they work, but for reading only."""
    if getattr(context.original_exception, "sqlstate", None) == _READ_ONLY:
        context.is_disconnect = True


def _engine(**options: Any) -> AsyncEngine:
    return create_async_engine("postgresql+asyncpg://", hide_parameters=True, **options)


def advice(error: DBAPIError) -> str | None:
    """Return what to do about an error where its own words would not tell, None for any other."""
    state = getattr(error.orig, "sqlstate", None)
    if state in _LOST_STATEMENTS:
        return "a pooler stands before it that keeps no prepared statements; set store.prepared_statements = false"
    if state in _MENDS and error.orig is not None:
        return f"{error.orig.__cause__ or error.orig}; {_MENDS[state]}"
    return None


def misconfigured(error: Exception) -> bool:
    """Return whether the URL itself is at fault: a parameter that asyncpg does not take, a certificate not there."""
    cause = getattr(error.orig, "__cause__", None) if isinstance(error, DBAPIError) else error
    return isinstance(cause, ValueError)


def _dsn(url: str) -> tuple[str, bool]:
    """Return the URL as asyncpg takes it, and whether it says that it leads to a pooler."""
    try:
        parts = urlsplit(url)
        given = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise SettingsError("store.url is not a database URL; write postgresql://<user>@<host>/<database>") from None
    for name, value in given:
        if name in _FILES and not Path(value).is_file():
            raise SettingsError(f"store.url: {name}: there is no file {value}")
    pooled = (_POOLER, "true") in given
    kept = urlencode([pair for pair in given if pair[0] != _POOLER])
    return urlunsplit(parts._replace(scheme="postgresql", query=kept)), pooled
