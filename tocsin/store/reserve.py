"""A little room kept beside the store, so that a gateway can start, and read, where the disk is full.

To open a file with a WAL, even just to read it, SQLite needs 32 KiB beside it for the WAL's index; the last one to
close the file gives them back. So they are kept in a file of ours, and given up for SQLite to take when it opens.
"""

import contextlib
import os
from pathlib import Path

_BYTES = 32 * 1024


def give_up(database: Path) -> None:
    """Give the room up: the database is about to be opened."""
    with contextlib.suppress(OSError):
        _path(database).unlink(missing_ok=True)


def take(database: Path) -> None:
    """Have the room again, if there is any. A disk that is full is no reason to fail here."""
    path = _path(database)
    if path.exists():
        return
    try:
        path.write_bytes(os.urandom(_BYTES))  # zeros would be no room on a file system that compresses
    except OSError:
        give_up(database)


def _path(database: Path) -> Path:
    return database.with_name(f"{database.name}-reserve")
