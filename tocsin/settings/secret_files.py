"""The files that settings name, and whether another one lies there now.

A file that is replaced is told by what the file system says of it, links followed: so a link that is turned to another
folder, as Kubernetes does with the secrets that it mounts, is a change like any other.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from tocsin.settings.values import Settings

_FILE, _FILES = "_file", "_files"

# Device, inode, size, and the times at which content and anything else were changed; None where there is no file.
Stamp = tuple[int, int, int, int, int] | None


def named(settings: Settings, sections: Mapping[str, type[msgspec.Struct]]) -> Mapping[str, Path]:
    """Return the files that these sections name, by the dotted keys: all that end with `_file` or `_files`."""
    return {key: path for name, kind in sections.items() for key, path in _of(name, settings.section(name, kind))}


class FileWatch:
    """Says which of some files have changed. Made before they are read, it misses no change."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = dict(files)
        self._known = self._seen = self._look()

    def __bool__(self) -> bool:
        return bool(self._files)

    def changed(self, *, at_once: bool = False) -> tuple[str, ...]:
        """Return the keys of the files that have changed since this last returned some.

        What two looks in a row do not find alike is still being written, and told later, unless it is wanted `at_once`.
        """
        found = self._look()
        rests, self._seen = found == self._seen, found
        if not (rests or at_once):
            return ()
        changed = tuple(key for key, stamp in found.items() if stamp != self._known[key])
        self._known = found
        return changed

    def _look(self) -> dict[str, Stamp]:
        return {key: stamp(path) for key, path in self._files.items()}


def _of(name: str, section: msgspec.Struct) -> Iterator[tuple[str, Path]]:
    for key, value in msgspec.structs.asdict(section).items():
        if key.endswith(_FILE) and value:
            yield f"{name}.{key}", Path(value)
        elif key.endswith(_FILES):
            yield from ((f"{name}.{key}[{index}]", Path(each)) for index, each in enumerate(value))


def stamp(path: Path) -> Stamp:
    """Return what the file system says of a file, links followed; None where there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 - the same, and cheaper
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
