"""The store, of each kind: transactions, reads beside them, and errors that say whose fault they are."""

import asyncio

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from tocsin.errors import SettingsError, StoreUnavailable
from tocsin.store.engine import Store, open_store

# What takes each database far longer than the test waits.
_LONG = {
    "sqlite": "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 3000000) SELECT max(x) FROM c",
    "postgresql": "SELECT pg_sleep(60)",
}


@pytest.fixture
async def store(empty: Store) -> Store:
    async with empty.write() as connection:
        await connection.execute(text("CREATE TABLE numbers (n INTEGER UNIQUE, t TEXT)"))
    return empty


async def fail_after(store: Store, statement: str) -> None:
    """Write, and then fail in the same transaction."""
    async with store.write() as connection:
        await connection.execute(text(statement))
        raise ZeroDivisionError


async def count(store: Store) -> int:
    async with store.read() as connection:
        return int(await connection.scalar(text("SELECT count(*) FROM numbers")) or 0)


async def test_a_write_is_kept_at_its_end_and_gone_on_error(store: Store) -> None:
    async with store.write() as connection:
        await connection.execute(text("INSERT INTO numbers (n) VALUES (1)"))
    with pytest.raises(ZeroDivisionError):
        await fail_after(store, "INSERT INTO numbers (n) VALUES (2)")

    assert await count(store) == 1


async def test_tables_are_made_in_the_transaction_too(store: Store) -> None:
    """Python's sqlite3 would not begin one for them by itself."""
    with pytest.raises(ZeroDivisionError):
        await fail_after(store, "CREATE TABLE others (n INTEGER)")

    async with store.read() as connection:
        assert await connection.run_sync(lambda each: inspect(each).get_table_names()) == ["numbers"]


async def test_a_read_sees_one_snapshot(store: Store) -> None:
    async with store.read() as connection:
        before = await connection.scalar(text("SELECT count(*) FROM numbers"))
        async with store.write() as other:
            await other.execute(text("INSERT INTO numbers (n) VALUES (1)"))
        after = await connection.scalar(text("SELECT count(*) FROM numbers"))

    assert (before, after) == (0, 0)
    assert await count(store) == 1


async def test_a_read_cannot_write(store: Store) -> None:
    with pytest.raises(StoreUnavailable, match=r"readonly|read-only"):
        async with store.read() as connection:
            await connection.execute(text("INSERT INTO numbers (n) VALUES (1)"))


@pytest.mark.parametrize(
    "value",
    [pytest.param(1, id="twice"), pytest.param(2**64, id="too large"), pytest.param("\ud800", id="no text")],
)
async def test_what_is_wrong_with_the_data_is_told_apart(store: Store, value: object) -> None:
    async with store.write() as connection:
        await connection.execute(text("INSERT INTO numbers (n) VALUES (1)"))
    with pytest.raises((DBAPIError, OverflowError, UnicodeEncodeError)) as caught:
        async with store.write() as connection:
            await connection.execute(text("INSERT INTO numbers (n) VALUES (:n)"), {"n": value})

    assert not isinstance(caught.value, StoreUnavailable)
    assert await count(store) == 1


async def test_errors_do_not_quote_the_data(store: Store) -> None:
    rows = [{"n": 1, "t": "ada@example.test"}] * 2
    with pytest.raises(IntegrityError) as caught:
        async with store.write() as connection:
            await connection.execute(text("INSERT INTO numbers (n, t) VALUES (:n, :t)"), rows)

    assert "ada@" not in str(caught.value)


async def test_a_table_that_is_not_there_is_the_stores_fault(store: Store) -> None:
    """A store that is not migrated: the records are innocent."""
    with pytest.raises(StoreUnavailable, match=r"no such table|does not exist"):
        async with store.write() as connection:
            await connection.execute(text("INSERT INTO nowhere VALUES (1)"))


async def test_a_write_that_is_cancelled_midway_leaves_nothing_and_blocks_nobody(store: Store) -> None:
    began = asyncio.Event()

    async def slow() -> None:
        async with store.write() as connection:
            await connection.execute(text("INSERT INTO numbers (n) VALUES (1)"))
            began.set()
            await connection.execute(text(_LONG[store.dialect]))

    task = asyncio.create_task(slow())
    await began.wait()
    await asyncio.wait([task], timeout=0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with store.write() as connection:
        await connection.execute(text("INSERT INTO numbers (n) VALUES (2)"))

    async with store.read() as connection:
        assert list(await connection.scalars(text("SELECT n FROM numbers"))) == [2]


async def test_what_was_written_is_there_after_opening_again(empty_url: str) -> None:
    async with open_store(empty_url) as store, store.write() as connection:
        await connection.execute(text("CREATE TABLE numbers (n INTEGER)"))
    async with open_store(empty_url) as store:
        assert await count(store) == 0


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mysql://me:secret@db/tocsin",
        "sqlite://",
        "sqlite:///:memory:",
        "store.db",
        "postgresql://me:secret@[db/tocsin",
    ],
)
async def test_a_url_that_is_no_stores_is_refused_with_what_to_write(url: str) -> None:
    with pytest.raises(SettingsError, match=r"write (sqlite|postgresql)://") as caught:
        async with open_store(url):
            pass

    assert "secret" not in str(caught.value)
