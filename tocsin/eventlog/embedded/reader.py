"""Reads records off the loop, on connections that cannot write: one a thread."""

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import apsw

from tocsin.errors import LogUnavailable
from tocsin.eventlog.embedded import tables
from tocsin.record import Partition, Received

_THREADS = 2
_MAX_BYTES = 8 * 1024 * 1024
_SELECT = "SELECT id, time_ms, key, headers, value FROM records WHERE id >= ? AND id < ? ORDER BY id LIMIT ?"


class Want(NamedTuple):
    """A stretch of a partition to read: offsets from `start` up to, not including, `end`; `limit` records at most."""

    partition: Partition
    partition_id: int
    start: int
    end: int
    limit: int


class Reader:
    """A small pool of reading threads over one file."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="tocsin-log-reader")
        self._local = threading.local()
        self._connections: list[apsw.Connection] = []

    async def read(self, wants: Sequence[Want]) -> list[list[Received]]:
        """Return the records of each stretch, in order, up to 8 MiB of them in all. Raises LogUnavailable."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._read, wants)

    def close(self) -> None:
        """Wait for what is being read and close the connections."""
        self._pool.shutdown()
        for connection in self._connections:
            connection.close()

    def _read(self, wants: Sequence[Want]) -> list[list[Received]]:
        found: list[list[Received]] = [[] for _ in wants]
        size = 0
        try:
            connection = self._connection()
            for want, records in zip(wants, found, strict=True):
                first = tables.row_id(want.partition_id, want.start)
                end = tables.row_id(want.partition_id, want.end)
                for row in connection.execute(_SELECT, (first, end, want.limit)):
                    records.append(tables.received(want.partition, row))
                    size += len(row[4])
                    if size >= _MAX_BYTES:
                        return found
        except apsw.Error as error:
            raise LogUnavailable(f"the event log cannot be read: {error}") from error
        return found

    def _connection(self) -> apsw.Connection:
        connection: apsw.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = tables.open_reading(self._path)
            self._connections.append(connection)
        return connection
