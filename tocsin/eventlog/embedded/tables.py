"""The log's tables, and how a record is laid out in them.

A record's row id is its partition's number and its offset in one integer, so that appending, scanning and deleting a
partition are ranges of one B-tree.
"""

import ctypes
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

import apsw
import msgspec

from tocsin.clock import from_ms
from tocsin.record import Headers, Partition, Received, shared

OFFSET_BITS = 40
_MAX_OFFSET = (1 << OFFSET_BITS) - 1

DDL = """
CREATE TABLE IF NOT EXISTS partitions (
    id INTEGER PRIMARY KEY, topic TEXT NOT NULL, number INTEGER NOT NULL,
    kind TEXT NOT NULL, start_offset INTEGER NOT NULL DEFAULT 0, UNIQUE (topic, number)
);
CREATE TABLE IF NOT EXISTS records (
    id INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, key BLOB, headers BLOB NOT NULL, value BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS commits (
    consumer_group TEXT NOT NULL, partition_id INTEGER NOT NULL, next_offset INTEGER NOT NULL,
    PRIMARY KEY (consumer_group, partition_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS identity (id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS probe (id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL);
"""

_BUSY_MILLISECONDS = 50

# Few sizes, so that their statements stay prepared.
_CHUNKS = (64, 16, 4, 1)

_packer = msgspec.msgpack.Encoder()
_unpacker = msgspec.msgpack.Decoder(tuple[tuple[str, bytes], ...])


def row_id(partition_id: int, offset: int) -> int:
    """Return the row id of an offset of a partition."""
    return partition_id << OFFSET_BITS | offset


def offset_of(row: int) -> int:
    """Return the offset in a row id."""
    return row & _MAX_OFFSET


def pack(headers: Headers) -> bytes:
    """Return headers as one blob."""
    return _packer.encode(headers)


def received(partition: Partition, row: tuple[int, int, bytes | None, bytes, bytes]) -> Received:
    """Return a row of `records` (id, time_ms, key, headers, value) as a received record."""
    return Received(
        place=partition,
        offset=offset_of(row[0]),
        key=row[2],
        value=row[4],
        headers=shared(_unpacker.decode(row[3])),
        timestamp=from_ms(row[1]),
    )


def insert(connection: apsw.Connection, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows with few statements: `statement` ends before the values.

    Each step of SQLite gives the interpreter's lock away, and other threads may want it; so many rows are one step.
    """
    start = 0
    while start < len(rows):
        size = next(size for size in _CHUNKS if size <= len(rows) - start)
        values = tuple(chain.from_iterable(rows[start : start + size]))
        connection.execute(_of_rows(statement, len(rows[start]), size), values)
        start += size


@lru_cache(maxsize=64)
def _of_rows(statement: str, columns: int, size: int) -> str:
    one = "(" + ",".join("?" * columns) + ")"
    return statement + ",".join([one] * size)


def open_writing(path: str) -> apsw.Connection:
    """Open the one connection that writes and checkpoints: WAL, and every commit synced."""
    connection = apsw.Connection(path)
    connection.set_busy_timeout(5_000)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA wal_autocheckpoint = 4000")
    connection.execute("PRAGMA journal_size_limit = 67108864")
    connection.execute("PRAGMA cache_size = -4096")
    # What a statement may have to take back is kept in memory: SQLite would write it to a temporary file.
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute(DDL)
    # The WAL and its index stay when the log is closed: a full disk has no room to make them anew, even to read.
    keep = ctypes.c_int(1)
    connection.file_control("main", apsw.SQLITE_FCNTL_PERSIST_WAL, ctypes.addressof(keep))
    # From here on the event loop would wait as well; whoever else writes to the file has no business there.
    connection.set_busy_timeout(_BUSY_MILLISECONDS)
    return connection


def open_reading(path: str) -> apsw.Connection:
    """Open a connection that only reads."""
    connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
    connection.set_busy_timeout(5_000)
    connection.execute("PRAGMA cache_size = -2048")
    return connection
