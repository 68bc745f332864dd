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
from tocsin.store.direct import Direct

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
_SET_UP = "SET default_transaction_isolation = 'read committed'; SET enable_seqscan = off; SET jit = off"
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
    """`owner` is for what may take long: migrations. `direct` shares the writer's connections."""

    writer: AsyncEngine
    direct: Direct
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
    if not nameless:
        event.listen(writer.sync_engine, "connect", _set_up)
    reader = _engine(pool_size=config.read_connections, isolation_level="REPEATABLE READ", **pooling)
    for engine in (writer, reader):
        trusted.watch(engine, untried=config.untried)
    return Engines(
        writer=writer,
        direct=Direct(writer, nameless=nameless, lost=_on_standby),
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
    import asyncpg  # type: ignore[import-untyped] # noqa: PLC0415 - loaded only where there is a PostgreSQL

    found = origin(error)
    if isinstance(found, OSError):
        return True  # TimeoutError is one
    if (state := _state(found)) is not None:
        return state[:2] not in _DATA
    drivers = isinstance(error, DBAPIError | asyncpg.InterfaceError | asyncpg.InternalClientError)
    return drivers and not isinstance(found, ValueError)


def origin(error: Exception) -> BaseException:
    """Return the driver's own error, where it is one that SQLAlchemy has made of it."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        return error.orig.__cause__ or error.orig
    return error


def _state(error: BaseException) -> str | None:
    state: str | None = getattr(error, "sqlstate", None)
    return state


def _set_up(connection: Any, _record: Any) -> None:
    """Have lone statements isolated as transactions are, and all of them planned for tables that grow.

    A small table is best read whole; but that stays the plan of a prepared statement until the table is next analyzed,
    after a minute in which it may have got thousands of rows. So what has an index is searched by it from the start.
    What has none then counts as so costly that it would be compiled first, unless that is off too.
    """
    connection.run_async(lambda driver: driver.execute(_SET_UP))


def _on_standby(error: BaseException) -> bool:
    """Return whether it tells of what is no longer the primary: its connections work, but for reading only."""
    return _state(error) == _READ_ONLY


def _leave_standby(context: ExceptionContext) -> None:
    if _on_standby(context.original_exception):
        context.is_disconnect = True


def _engine(**options: Any) -> AsyncEngine:
    return create_async_engine("postgresql+asyncpg://", hide_parameters=True, **options)


def advice(error: Exception) -> str | None:
    """Return what to do about an error where its own words would not tell, None for any other."""
    found = origin(error)
    state = _state(found)
    if state in _LOST_STATEMENTS:
        return "a pooler stands before it that keeps no prepared statements; set store.prepared_statements = false"
    if state in _MENDS:
        return f"{found}; {_MENDS[state]}"
    return None


def misconfigured(error: Exception) -> bool:
    """Return whether the URL itself is at fault: a parameter that asyncpg does not take, a certificate not there."""
    return isinstance(origin(error), ValueError)


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
