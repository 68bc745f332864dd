"""One process a data directory. The lock goes with the process, however it ends; the file only says who it was."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tocsin.errors import LogLocked


@contextmanager
def held(directory: Path) -> Iterator[None]:
    """Hold the directory's lock file, `tocsin.lock`. Raises LogLocked, naming the process that has it."""
    path = directory / "tocsin.lock"
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise LogLocked(
                f"the data directory {directory} is locked by pid {holder}: one gateway a directory. "
                f"Stop that process, or set data_dir to another folder."
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
