"""The store: one writer, readers beside it, and errors that say whose fault they are."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from tocsin.errors import SettingsError, StoreUnavailable
from tocsin.store.engine import Store, open_store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a folder" / "store.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Store]:
    path.parent.mkdir()
    async with open_store(f"sqlite:///{path}") as opened:
        async with opened.write() as connection:
            await connection.execute(text("CREATE TABLE numbers (n INTEGER UNIQUE, t TEXT)"))
        yield opened


async def fail_after(store: Store, statement: str) -> None:
    """Write, and then fail in the same transaction."""
    async with store.write() as connection:
        await connection.execute(text(statement))
        raise ZeroDivisionError


async def count(store: Store) -> int:
    async with store.read() as connection:
        return int(await connection.scalar(text("SELECT count(*) FROM numbers")) or 0)


async def test_connections_are_set_up_to_lose_nothing(store: Store) -> None:
    async with store.write() as connection:
        writer = {
            name: await connection.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys", "query_only", "busy_timeout")
        }
    async with store.read() as connection:
        read_only = await connection.scalar(text("PRAGMA query_only"))

    assert writer == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "query_only": 0, "busy_timeout": 5000}
    assert read_only == 1


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
        assert await connection.scalar(text("SELECT count(*) FROM sqlite_master WHERE name = 'others'")) == 0


async def test_a_write_holds_the_lock_from_its_beginning(store: Store, path: Path) -> None:
    async with store.write():
        other = sqlite3.connect(path, timeout=0, isolation_level=None)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()


async def test_writes_take_turns_and_reads_do_not_wait(store: Store) -> None:
    order: list[str] = []
    began, go_on = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        async with store.write() as connection:
            await connection.execute(text("INSERT INTO numbers (n) VALUES (1)"))
            began.set()
            await go_on.wait()
            order.append("first")

    async def second() -> None:
        await began.wait()
        async with store.write() as connection:
            order.append("second")
            await connection.execute(text("INSERT INTO numbers (n) VALUES (2)"))

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(first())
        tasks.create_task(second())
        await began.wait()
        assert await count(store) == 0
        go_on.set()

    assert order == ["first", "second"]
    assert await count(store) == 2


async def test_a_read_sees_one_snapshot(store: Store) -> None:
    async with store.read() as connection:
        before = await connection.scalar(text("SELECT count(*) FROM numbers"))
        async with store.write() as other:
            await other.execute(text("INSERT INTO numbers (n) VALUES (1)"))
        after = await connection.scalar(text("SELECT count(*) FROM numbers"))

    assert (before, after) == (0, 0)
    assert await count(store) == 1


async def test_a_read_cannot_write(store: Store) -> None:
    with pytest.raises(StoreUnavailable, match="readonly"):
        async with store.read() as connection:
            await connection.execute(text("INSERT INTO numbers (n) VALUES (1)"))


async def test_a_full_disk_is_the_stores_fault_and_heals(store: Store) -> None:
    fill = text("INSERT INTO numbers (t) VALUES (zeroblob(200000))")
    async with store.write() as connection:
        await connection.execute(text("PRAGMA max_page_count = 20"))
    with pytest.raises(StoreUnavailable, match="full"):
        async with store.write() as connection:
            await connection.execute(fill)
    async with store.write() as connection:
        await connection.execute(text("PRAGMA max_page_count = 1000000"))
        await connection.execute(fill)

    assert await count(store) == 1


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
    with pytest.raises(StoreUnavailable, match="no such table"):
        async with store.write() as connection:
            await connection.execute(text("INSERT INTO nowhere VALUES (1)"))


@pytest.fixture
def scribble(tmp_path: Path) -> Path:
    path = tmp_path / "scribble.db"
    path.write_bytes(b"\x00not a database" * 1000)
    return path


async def test_a_file_that_is_no_database_is_the_stores_fault(scribble: Path) -> None:
    with pytest.raises(StoreUnavailable, match="not a database"):
        async with open_store(f"sqlite:///{scribble}"):
            pass


async def test_a_write_that_is_cancelled_midway_leaves_nothing_and_blocks_nobody(store: Store) -> None:
    began = asyncio.Event()

    async def slow() -> None:
        async with store.write() as connection:
            await connection.execute(text("INSERT INTO numbers (n) VALUES (1)"))
            began.set()
            forever = (
                "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 3000000) SELECT max(x) FROM c"
            )
            await connection.execute(text(forever))

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


async def test_what_was_written_is_there_after_opening_again(tmp_path: Path) -> None:
    url, beside = f"sqlite:///{tmp_path / 'store.db'}", tmp_path / "store.db-wal"
    async with open_store(url) as store, store.write() as connection:
        await connection.execute(text("CREATE TABLE numbers (n INTEGER)"))
    async with open_store(url) as store:
        assert await count(store) == 0
    # The last to close has put everything into the one file.
    assert not await asyncio.to_thread(beside.exists)


@pytest.mark.parametrize("url", ["", "postgresql://me:secret@db/tocsin", "sqlite://", "sqlite:///:memory:", "store.db"])
async def test_a_url_that_is_no_stores_is_refused_with_what_to_write(url: str) -> None:
    with pytest.raises(SettingsError, match="sqlite:///<path") as caught:
        async with open_store(url):
            pass

    assert "secret" not in str(caught.value)


async def test_a_file_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="unable to open"):
        async with open_store(f"sqlite:///{tmp_path / 'no such folder' / 'store.db'}"):
            pass
