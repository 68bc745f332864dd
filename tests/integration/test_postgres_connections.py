"""How few ways to a real PostgreSQL and back a change takes, and that it loses nothing by that."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import asyncpg  # type: ignore[import-untyped] # it has no types of its own
import pytest
from sqlalchemy import text

from tests.support import postgres
from tests.support.postgres import Server, database, databases, empty_database, own_server
from tocsin.errors import StoreUnavailable
from tocsin.store.engine import Store, open_store
from tocsin.store.postgres import PostgresConfig

__all__ = ["database", "databases", "empty_database", "own_server"]

pytestmark = postgres.GROUP

NAMED = "INSERT INTO names VALUES ($1::text)"


@pytest.fixture
async def store(database: str) -> AsyncIterator[Store]:
    """Return a store with a table of names."""
    async with open_store(database) as opened:
        await prepared(opened)
        yield opened


async def prepared(store: Store) -> None:
    async with store.write() as connection:
        await connection.execute(text("CREATE TABLE names (name text NOT NULL)"))


async def names(store: Store) -> list[str]:
    async with store.read() as connection:
        return list(await connection.scalars(text("SELECT name FROM names ORDER BY name")))


def named(name: str) -> Any:
    return text("INSERT INTO names VALUES (:name)").bindparams(name=name)


@pytest.mark.parametrize(("untried", "tries"), [(timedelta(seconds=60), 0), (timedelta(), 9)])
async def test_a_connection_that_was_in_use_a_moment_ago_is_used_untried(
    database: str, monkeypatch: pytest.MonkeyPatch, untried: timedelta, tries: int
) -> None:
    async with open_store(database, config=PostgresConfig(untried=untried)) as store:
        await prepared(store)
        assert await names(store) == []
        tried = 0
        dialect = type(store._writer.dialect)
        ping = dialect.do_ping

        def counted(self: Any, connection: Any) -> bool:
            nonlocal tried
            tried += 1
            return ping(self, connection)

        monkeypatch.setattr(dialect, "do_ping", counted)
        for number in range(3):
            async with store.write() as connection:
                await connection.execute(named(f"{number}"))
            await store.fetch(NAMED, f"{number}")
            await names(store)

    assert tried == tries


async def test_a_statement_that_fails_has_done_nothing_and_the_next_one_works(store: Store) -> None:
    with pytest.raises(asyncpg.NotNullViolationError):
        await store.fetch("INSERT INTO names VALUES ('undone'), ($1::text)", None)
    assert await store.fetch("INSERT INTO names VALUES ($1::text) RETURNING upper(name)", "kept") == [("KEPT",)]

    assert await names(store) == ["kept"]


@pytest.mark.parametrize("value", [1, "\0", "\udcff"])
async def test_what_cannot_be_sent_is_no_fault_of_the_store(store: Store, value: object) -> None:
    with pytest.raises((asyncpg.DataError, asyncpg.CharacterNotInRepertoireError)):
        await store.fetch(NAMED, value)


@pytest.mark.parametrize("prepared_statements", [True, False])
async def test_a_statement_sees_what_is_committed_whatever_the_database_would_have_it_see(
    empty_database: str, prepared_statements: bool
) -> None:
    name = urlsplit(empty_database).path.lstrip("/")
    async with postgres.connected(empty_database) as connection:
        await connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'"))
    async with open_store(empty_database, config=PostgresConfig(prepared_statements=prepared_statements)) as store:
        assert await store.fetch("SHOW transaction_isolation") == [("read committed",)]


async def test_what_takes_too_long_is_broken_off(database: str) -> None:
    async with open_store(database, config=PostgresConfig(command_timeout=timedelta(seconds=1))) as store:
        with pytest.raises(StoreUnavailable, match="did not answer in time"):
            await store.fetch("SELECT pg_sleep(60)")

        assert await store.fetch("SELECT 1") == [(1,)]


async def test_a_statement_waits_for_a_connection_and_not_for_ever(database: str) -> None:
    config = PostgresConfig(write_connections=1, command_timeout=timedelta(seconds=1))
    async with open_store(database, config=config) as store:
        async with store.write():
            with pytest.raises(StoreUnavailable, match="all of its connections are busy"):
                await store.fetch("SELECT 1")

        assert await store.fetch("SELECT 1") == [(1,)]


async def test_a_statement_that_is_cancelled_gives_its_connection_back(database: str) -> None:
    async with open_store(database, config=PostgresConfig(write_connections=1)) as store:
        for _ in range(3):
            waiting = asyncio.create_task(store.fetch("SELECT pg_sleep(60)"))
            await asyncio.wait([waiting], timeout=0.1)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting

        assert await store.fetch("SELECT 1") == [(1,)]


async def test_connections_to_what_is_no_longer_the_primary_are_left_at_once(database: str) -> None:
    """The first statement that is refused is the last one: the others' connections go with it."""
    async with open_store(database) as store:
        await prepared(store)
        async with store.write() as one, store.write() as other:
            for connection in (one, other):
                await connection.execute(text("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"))
        with pytest.raises(StoreUnavailable, match="read-only"):
            await store.fetch(NAMED, "refused")
        await asyncio.gather(*(store.fetch(NAMED, name) for name in ("a", "b", "c")))

        assert await names(store) == ["a", "b", "c"]


async def test_a_server_that_is_away_is_told_of_a_statement_too(own_server: Server) -> None:
    async with open_store(own_server.url) as store:
        await prepared(store)
        own_server.crash()
        with pytest.raises(StoreUnavailable):
            await store.fetch(NAMED, "lost")
        own_server.start()

        assert await names(store) == []
