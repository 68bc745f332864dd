"""SQLite as the store: one writer, readers beside it, and a file that may be full, locked or no database at all."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from tocsin.errors import StoreUnavailable
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


@pytest.fixture
def scribble(tmp_path: Path) -> Path:
    path = tmp_path / "scribble.db"
    path.write_bytes(b"\x00not a database" * 1000)
    return path


async def test_a_file_that_is_no_database_is_the_stores_fault(scribble: Path) -> None:
    with pytest.raises(StoreUnavailable, match="not a database"):
        async with open_store(f"sqlite:///{scribble}"):
            pass


async def test_the_last_to_close_puts_everything_into_the_one_file(tmp_path: Path) -> None:
    async with open_store(f"sqlite:///{tmp_path / 'store.db'}") as store, store.write() as connection:
        await connection.execute(text("CREATE TABLE numbers (n INTEGER)"))

    assert not await asyncio.to_thread((tmp_path / "store.db-wal").exists)


async def test_a_file_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="unable to open"):
        async with open_store(f"sqlite:///{tmp_path / 'no such folder' / 'store.db'}"):
            pass
