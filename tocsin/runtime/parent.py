"""The process that started this one: once it is gone, however it went, this one drains and ends as well.

Both hold an end of a pipe through which nothing is ever sent. The system closes the parent's end with it, even after
SIGKILL, and the child then reads the end of the file.
"""

import asyncio
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

# The number of the child's end.
VARIABLE = "TOCSIN_PARENT_PIPE"


@contextmanager
def pipe() -> Iterator[int]:
    """Be a parent for the length of the block; yields the end to hand down to children, and to name in `VARIABLE`."""
    theirs, ours = os.pipe()
    try:
        yield theirs
    finally:
        os.close(ours)
        os.close(theirs)


@contextmanager
def watched(environ: Mapping[str, str], on_gone: Callable[[], None]) -> Iterator[None]:
    """Call `on_gone` once the parent is gone. Does nothing where nobody handed an end down."""
    end = _end(environ.get(VARIABLE, ""))
    if end is None:
        yield
        return
    loop = asyncio.get_running_loop()

    def gone() -> None:
        loop.remove_reader(end)
        on_gone()

    loop.add_reader(end, gone)
    try:
        yield
    finally:
        loop.remove_reader(end)


def _end(number: str) -> int | None:
    """Return the file descriptor, None if there is none: whatever else the variable may be, it is not ours."""
    if not (number.isascii() and number.isdecimal()):
        return None
    try:
        return int(number) if stat.S_ISFIFO(os.fstat(int(number)).st_mode) else None
    except (OSError, OverflowError):
        return None
