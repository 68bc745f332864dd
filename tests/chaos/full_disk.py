"""A small disk that fills up: a tmpfs of its own, and a file that takes all the room that is left."""

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_FILLER = "filler"
_CHUNKS = (1 << 20, 1 << 12, 1)


@contextmanager
def mounted(place: Path, *, mib: int) -> Iterator[Path]:
    """Mount a tmpfs of so many MiB on a directory. Where that is not allowed: skipped here, a failure in CI."""
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tocsin-test", str(place)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        reason = f"a tmpfs cannot be mounted here: {ran.stderr.strip()}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    try:
        yield place
    finally:
        # Lazily: a test that failed may have left a file open.
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(disk: Path) -> None:
    """Take all the room that is left, to the last byte."""
    with (disk / _FILLER).open("ab", buffering=0) as file:
        for chunk in _CHUNKS:
            try:
                while True:
                    file.write(bytes(chunk))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise


def free(disk: Path) -> None:
    """Give the room back."""
    (disk / _FILLER).unlink()
