"""Random bytes of the operating system, fetched in larger pieces: a system call for each id would cost more than it."""

import os
from collections.abc import Callable

_PIECE = 4096


def source(read: Callable[[int], bytes] = os.urandom) -> Callable[[int], bytes]:
    """Return a function that returns so many random bytes, none of them twice. For one process: not to be forked."""
    buffer = b""
    used = 0

    def randbytes(count: int) -> bytes:
        nonlocal buffer, used
        if used + count > len(buffer):
            buffer, used = read(max(_PIECE, count)), 0
        taken = buffer[used : used + count]
        used += count
        return taken

    return randbytes
