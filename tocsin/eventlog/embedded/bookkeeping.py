"""What the log keeps of itself in its file: its name, its partitions, and how far each group has read."""

from collections.abc import Mapping, Sequence
from typing import Any

from tocsin.eventlog.embedded import tables
from tocsin.eventlog.embedded.transaction import Transaction
from tocsin.record import Partition


def identity(transaction: Transaction) -> str:
    """Return the name that the log gave itself when it was made."""
    connection = transaction.connection
    connection.execute(
        "INSERT INTO identity SELECT lower(hex(randomblob(8))) WHERE NOT EXISTS (SELECT 1 FROM identity)"
    )
    found: str = connection.execute("SELECT id FROM identity").get
    return found


def partitions(transaction: Transaction) -> list[tuple[Partition, int, int]]:
    """Return every partition with its id and its tail."""
    connection = transaction.connection
    found = []
    rows: list[Any] = connection.execute("SELECT id, topic, number, start_offset FROM partitions").fetchall()
    for partition_id, topic, number, start in rows:
        first, end = tables.row_id(partition_id, 0), tables.row_id(partition_id + 1, 0)
        last = connection.execute("SELECT max(id) FROM records WHERE id >= ? AND id < ?", (first, end)).get
        tail = start if last is None else tables.offset_of(last) + 1
        found.append((Partition(topic, number), partition_id, tail))
    return found


def commits(transaction: Transaction) -> list[tuple[str, int, int]]:
    rows: list[Any] = transaction.connection.execute("SELECT * FROM commits").fetchall()
    return rows


def register(transaction: Transaction, group: str, ids: Mapping[Partition, int]) -> dict[Partition, int]:
    connection = transaction.connection
    positions = {}
    for partition, partition_id in ids.items():
        connection.execute(
            "INSERT INTO commits SELECT ?, id, start_offset FROM partitions WHERE id = ? ON CONFLICT DO NOTHING",
            (group, partition_id),
        )
        position = connection.execute(
            "SELECT next_offset FROM commits WHERE consumer_group = ? AND partition_id = ?", (group, partition_id)
        ).get
        positions[partition] = position
    return positions


def store_commits(transaction: Transaction, rows: Sequence[tuple[str, int, int]]) -> None:
    transaction.connection.executemany(
        "INSERT INTO commits VALUES (?, ?, ?) "
        "ON CONFLICT DO UPDATE SET next_offset = max(next_offset, excluded.next_offset)",
        rows,
    )


def probe(transaction: Transaction) -> None:
    """Write something, to learn whether writing works again."""
    transaction.connection.execute("INSERT OR REPLACE INTO probe VALUES (1, ?)", (transaction.now_ms,))
