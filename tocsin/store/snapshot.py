"""The store's file as a backup sees it, from another process than the gateway's: copied while it is written.

The file is opened through Python's own SQLite, as everywhere: see `store.sqlite`.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tocsin.errors import StoreUnavailable
from tocsin.record import Partition

_STEP = 2048  # pages


def copy(source: Path, target: Path, progress: Callable[[int, int], None]) -> None:
    """Copy the store as it is at this moment to a new file, telling the bytes done and of all.

    Raises StoreUnavailable.
    """
    with _told("copied", source), closing(_reading(source)) as store, closing(sqlite3.connect(target)) as copied:
        # With a transaction open the moment stays the same however long this takes.
        store.execute("BEGIN")
        (page,) = store.execute("PRAGMA page_size").fetchone()

        def tell(_status: int, remaining: int, total: int) -> None:
            progress(page * (total - remaining), page * total)

        store.backup(copied, pages=_STEP, progress=tell)
        # One file, without a write-ahead log beside it. The gateway that opens it makes its own.
        copied.execute("PRAGMA journal_mode = DELETE")


def offsets(path: Path) -> dict[tuple[str, Partition], int]:
    """Return the next offset of each sink's group in each partition. Raises StoreUnavailable."""
    with _told("read", path), closing(_reading(path)) as store:
        rows = store.execute("SELECT consumer_group, topic, partition_index, next_offset FROM consumer_offsets")
        return {(group, Partition(topic, number)): offset for group, topic, number, offset in rows}


def check(path: Path) -> None:
    """Read the whole file and check its structure. Raises StoreUnavailable where it is damaged."""
    with _told("read", path), closing(_reading(path)) as store:
        (found,) = store.execute("PRAGMA integrity_check(1)").fetchone()
    if found != "ok":
        raise StoreUnavailable(f"{path} is damaged: {found}")


def _reading(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)


@contextmanager
def _told(what: str, path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreUnavailable(f"the store {path} cannot be {what}: {error}") from error
