"""Many rows in one errand of the connection's thread."""

from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError

from tocsin.errors import StoreUnavailable
from tocsin.store import bulk
from tocsin.store.bulk import Insert
from tocsin.store.engine import Store, open_store

ADD = "INSERT INTO things (id, name) VALUES (?, ?)"


async def make(store: Store) -> None:
    async with store.write() as connection:
        await connection.execute(text("CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT NOT NULL)"))


async def ids(store: Store) -> list[int]:
    async with store.read() as connection:
        return list(await connection.scalars(text("SELECT id FROM things ORDER BY id")))


@pytest.mark.parametrize("count", [0, 1, 7, 8, 127, 128, 300])
async def test_every_row_is_written_once_whatever_their_number(tmp_path: Path, count: int) -> None:
    async with open_store(f"sqlite:///{tmp_path / 'store.db'}") as store:
        await make(store)
        async with store.write() as connection:
            await bulk.write(
                connection,
                [Insert(ADD, [(n, "a") for n in range(count)]), Insert(ADD, [(n + 1000, "b") for n in range(count)])],
            )
        assert await ids(store) == [*range(count), *range(1000, 1000 + count)]


async def test_an_error_is_sqlalchemys_and_nothing_is_kept(tmp_path: Path) -> None:
    async with open_store(f"sqlite:///{tmp_path / 'store.db'}") as store:
        await make(store)
        with pytest.raises(IntegrityError) as raised:
            async with store.write() as connection:
                await bulk.write(connection, [Insert(ADD, [(1, "secret"), (1, "secret")])])
        assert "secret" not in str(raised.value)
        assert await ids(store) == []


async def test_an_error_of_the_database_is_the_stores(tmp_path: Path) -> None:
    async with open_store(f"sqlite:///{tmp_path / 'store.db'}") as store:
        with pytest.raises(StoreUnavailable) as raised:
            async with store.write() as connection:
                await bulk.write(connection, [Insert(ADD, [(1, "a")])])
        assert isinstance(raised.value.__cause__, OperationalError)


async def test_a_statement_that_does_not_fit_its_rows_is_a_bug(tmp_path: Path) -> None:
    async with open_store(f"sqlite:///{tmp_path / 'store.db'}") as store:
        await make(store)
        with pytest.raises(ValueError, match="no INSERT of 3 values"):
            async with store.write() as connection:
                await bulk.write(connection, [Insert(ADD, [(1, "a", "b")])])
