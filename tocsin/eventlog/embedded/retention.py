"""Deleting what nobody needs: by age, and by size where room gets short; never past a group that has yet to read it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import apsw

from tocsin.eventlog.embedded import tables
from tocsin.eventlog.embedded.transaction import Transaction

_ROWS = 1000
# Above this part of the cap, what every group has read is deleted whatever its age.
_CROWDED = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long records are kept, by the kind of their topic, and how large the log may grow (bytes)."""

    ages: Mapping[str, timedelta]
    max_bytes: int

    def sweep(self, transaction: Transaction) -> dict[int, int]:
        """Delete about 1,000 records that may go. Run until it returns nothing.

        Returns the new first offset of each partition (by its id) from which records went.
        """
        connection = transaction.connection
        crowded = used_bytes(connection) > self.max_bytes * _CROWDED
        partitions: list[Any] = connection.execute("SELECT id, kind, start_offset FROM partitions").fetchall()
        gone = 0
        starts = {}
        for partition_id, kind, start in partitions:
            oldest_kept = transaction.now_ms - self.ages[kind] // timedelta(milliseconds=1)
            went, first = _sweep(connection, partition_id, start, None if crowded else oldest_kept)
            if went:
                starts[partition_id] = first
                gone += went
            if gone >= _ROWS:
                break
        return starts


def used_bytes(connection: apsw.Connection) -> int:
    """Return the bytes in use: pages that are free for new records do not count."""
    pages = connection.pragma("page_count") - connection.pragma("freelist_count")
    size: int = pages * connection.pragma("page_size")
    return size


def _sweep(connection: apsw.Connection, partition_id: int, start: int, oldest_kept_ms: int | None) -> tuple[int, int]:
    """Return how many records went, and the first offset that is left."""
    slowest = connection.execute("SELECT min(next_offset) FROM commits WHERE partition_id = ?", (partition_id,)).get
    first, end = tables.row_id(partition_id, start), tables.row_id(partition_id + 1, 0)
    if slowest is not None:
        end = tables.row_id(partition_id, slowest)
    elif oldest_kept_ms is None:
        return 0, start  # nobody has registered for it yet: only its age may end it
    rows: list[Any] = connection.execute(
        "SELECT id, time_ms FROM records WHERE id >= ? AND id < ? ORDER BY id LIMIT ?", (first, end, _ROWS)
    ).fetchall()
    last = None
    for row, time_ms in rows:
        if oldest_kept_ms is not None and time_ms >= oldest_kept_ms:
            break
        last = row
    if last is None:
        return 0, start
    connection.execute("DELETE FROM records WHERE id >= ? AND id <= ?", (first, last))
    gone, start = connection.changes(), tables.offset_of(last) + 1
    connection.execute("UPDATE partitions SET start_offset = ? WHERE id = ?", (start, partition_id))
    return gone, start
