"""How few ways to a real PostgreSQL and back a change takes, and that it loses nothing by that."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from tests.support import postgres
from tests.support.postgres import Server, database, databases, own_server
from tocsin.errors import StoreUnavailable
from tocsin.store.engine import Store, open_store
from tocsin.store.postgres import PostgresConfig

__all__ = ["database", "databases", "own_server"]

pytestmark = postgres.GROUP


async def prepared(store: Store) -> None:
    async with store.write() as connection:
        await connection.execute(text("CREATE TABLE names (name text NOT NULL)"))


async def names(store: Store) -> list[str]:
    async with store.read() as connection:
        return list(await connection.scalars(text("SELECT name FROM names ORDER BY name")))


def named(name: str | None) -> Any:
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
            for opened in (store.write, store.statements):
                async with opened() as connection:
                    await connection.execute(named(f"{number}"))
            await names(store)

    assert tried == tries


async def test_each_statement_stands_and_a_transaction_does_not(database: str) -> None:
    async with open_store(database) as store:
        await prepared(store)
        for name, opened in (("stands", store.statements), ("undone", store.write)):
            with pytest.raises(IntegrityError):
                async with opened() as connection:
                    await connection.execute(named(name))
                    await connection.execute(named(None))

        assert await names(store) == ["stands"]


async def test_what_a_statement_has_done_is_seen_at_once(database: str) -> None:
    async with open_store(database) as store:
        await prepared(store)
        async with store.statements() as connection:
            await connection.execute(named("seen"))
            assert await names(store) == ["seen"]


async def test_a_server_that_is_away_is_told_of_a_statement_too(own_server: Server) -> None:
    async with open_store(own_server.url) as store:
        await prepared(store)
        own_server.crash()
        with pytest.raises(StoreUnavailable):
            async with store.statements() as connection:
                await connection.execute(named("lost"))
        own_server.start()

        assert await names(store) == []
