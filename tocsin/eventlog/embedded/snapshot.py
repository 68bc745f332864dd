"""The log's file as a backup sees it, from another process than the gateway's: copied while it is written, and checked.

Nothing here writes to the file of a running gateway, or holds anything up that writes to it. While it is copied, its
write-ahead log cannot be emptied, and grows by what is written meanwhile.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

import apsw

from tocsin.errors import LogUnavailable
from tocsin.eventlog.embedded import lock, tables
from tocsin.record import Partition

_STEP = 2048  # pages
# What lies in topics of these kinds is read into SQL, and the store says how far: see `rewind`.
_SUNK = ("audit", "dlq")


def locked(directory: Path) -> AbstractContextManager[None]:
    """Keep every gateway out of a data directory. Raises LogLocked, naming the process that has it."""
    return lock.held(directory)


def starts(path: Path) -> dict[Partition, int]:
    """Return the first offset that the log still has, of every partition. Raises LogUnavailable."""
    with _told("read", path), closing(tables.open_reading(str(path))) as log:
        rows: list[Any] = log.execute("SELECT topic, number, start_offset FROM partitions").fetchall()
        return {Partition(topic, number): start for topic, number, start in rows}


def copy(source: Path, target: Path, progress: Callable[[int, int], None]) -> None:
    """Copy the log as it is at this moment to a new file, telling the bytes done and of all. Raises LogUnavailable."""
    with (
        _told("copied", source),
        closing(tables.open_reading(str(source))) as log,
        closing(apsw.Connection(str(target))) as copied,
    ):
        # With a transaction open the moment stays the same however long this takes.
        log.execute("BEGIN")
        size = log.pragma("page_size") * log.pragma("page_count")
        with copied.backup("main", log, "main") as steps:
            while not steps.done:
                steps.step(_STEP)
                progress(size * (steps.page_count - steps.remaining) // max(1, steps.page_count), size)
        # One file, without a write-ahead log beside it. The gateway that opens it makes its own.
        copied.pragma("journal_mode", "delete")


def rewind(path: Path, kept: Mapping[tuple[str, Partition], int], floor: Mapping[Partition, int]) -> list[str]:
    """Set a copied log back to where the copied store's sinks are: `kept` is where each group is to read on.

    The store was copied first, so the log's own offsets of these groups are later ones. Left as they are, a partition
    that the store does not know yet would be read from there, and retention would delete what has yet to be read.
    `floor` are the first offsets that there were before either was copied. Returns the partitions of which the log
    does not have what the store would read next. Raises LogUnavailable.
    """
    with _told("written", path), closing(apsw.Connection(str(path))) as log:
        rows: list[Any] = log.execute(
            "SELECT consumer_group, partition_id, topic, number, start_offset "
            "FROM commits JOIN partitions ON id = partition_id WHERE kind IN (?, ?)",
            _SUNK,
        ).fetchall()
        missing = []
        for group, partition_id, topic, number, start in rows:
            partition = Partition(topic, number)
            before = floor.get(partition, 0)
            wanted = kept.get((group, partition), before)
            if wanted > _end(log, partition_id, start) or (wanted < start and start > before):
                missing.append(f"{topic}/{number}")
            log.execute(
                "UPDATE commits SET next_offset = ? WHERE consumer_group = ? AND partition_id = ?",
                (max(wanted, start), group, partition_id),
            )
        return missing


def check(path: Path) -> None:
    """Read the whole file and check its structure. Raises LogUnavailable where it is damaged."""
    with _told("read", path), closing(tables.open_reading(str(path))) as log:
        found = log.execute("PRAGMA integrity_check(1)").get
    if found != "ok":
        raise LogUnavailable(f"{path} is damaged: {found}")


def _end(log: apsw.Connection, partition_id: int, start: int) -> int:
    """Return the next offset to be written."""
    first, end = tables.row_id(partition_id, 0), tables.row_id(partition_id + 1, 0)
    last = log.execute("SELECT max(id) FROM records WHERE id >= ? AND id < ?", (first, end)).get
    return start if last is None else tables.offset_of(last) + 1


@contextmanager
def _told(what: str, path: Path) -> Iterator[None]:
    try:
        yield
    except apsw.Error as error:
        raise LogUnavailable(f"the event log {path} cannot be {what}: {error}") from error
