"""A disk whose power can be cut: an apsw VFS that keeps what was written and not synced apart.

Every write goes through to the real file, so that the log runs as ever, and is kept in a second place as well: as
*pending* until its file is synced. An image of the disk after a power cut has what was synced; of what was pending it
has nothing, or a random part, some writes of it torn at the disk's sectors. A file that was made or deleted is so for
certain only once its directory was synced, which SQLite's own VFS does with the first sync of a journal or a WAL.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import apsw

Image = Mapping[str, bytes]

_SECTOR = 512
_NAME = "power"
_BASE = "unix"
_SYNCS_ITS_DIRECTORY = apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_SUPER_JOURNAL


@dataclass(frozen=True, slots=True)
class _Write:
    offset: int
    data: bytes

    def apply(self, content: bytearray) -> None:
        content.extend(bytes(max(0, self.offset - len(content))))
        content[self.offset : self.offset + len(self.data)] = self.data

    def torn(self, random: Random) -> Iterator["_Write"]:
        """Yield those of its sectors that reached the disk."""
        start, end = self.offset, self.offset + len(self.data)
        while start < end:
            stop = min(end, (start // _SECTOR + 1) * _SECTOR)
            if random.random() < 0.5:
                yield _Write(start, self.data[start - self.offset : stop - self.offset])
            start = stop


@dataclass(frozen=True, slots=True)
class _Truncation:
    size: int

    def apply(self, content: bytearray) -> None:
        del content[self.size :]


@dataclass(slots=True)
class _File:
    """`synced` is what is certainly on the disk. `listed` is whether its directory has it there, `exists` here."""

    synced: bytearray
    listed: bool
    exists: bool = True
    pending: list[_Write | _Truncation] = field(default_factory=list)

    def after_cut(self, random: Random | None) -> bytes | None:
        """Return its content after a power cut, None if it is not there. Without `random` nothing pending is there."""
        listed = self.listed if self.listed == self.exists or random is None else random.random() < 0.5
        if not listed:
            return None
        content = bytearray(self.synced)
        share = random.choice((0.1, 0.5, 0.9)) if random else 0
        for change in self.pending if random else ():
            assert random is not None
            if random.random() > share:
                continue
            torn = random.random() < 0.3 and isinstance(change, _Write)
            for part in change.torn(random) if torn and isinstance(change, _Write) else (change,):
                part.apply(content)
        return bytes(content)


class Disk:
    """What the files opened through it would be after a power cut. Used by any thread.

    `watch` is called between two operations of the log on its files, on the thread that is about to do the next one:
    the place to take images. `commit_fails` is asked when a commit is synced; if so, what was pending is lost, as it
    is on Linux, where a page that could not be written counts as clean from then on. (The sync of a checkpoint does
    not fail here: SQLite ignores that and checkpoints again later, but apsw raises what a VFS in Python raised.)
    """

    def __init__(self) -> None:
        self.watch: Callable[[], None] = lambda: None
        self.commit_fails: Callable[[], bool] = lambda: False
        self._files: dict[str, _File] = {}
        self._lock = threading.RLock()

    def image(self, random: Random | None = None) -> Image:
        """Return the files as a power cut at this moment would leave them, by name."""
        with self._lock:
            found = {Path(path).name: file.after_cut(random) for path, file in self._files.items()}
        return {name: content for name, content in found.items() if content is not None}

    @contextmanager
    def between_operations(self) -> Iterator[None]:
        """Let the watcher look, then keep everybody else away while an operation is done in both places."""
        with self._lock:
            self.watch()
            yield

    def opened(self, path: str) -> None:
        """Take note of a file before it is opened, and maybe made."""
        known = self._files.get(path)
        if known is None:
            there = Path(path).exists()
            content = bytearray(Path(path).read_bytes()) if there else bytearray()
            self._files[path] = _File(content, listed=there)
        elif not known.exists:
            known.exists = True
            known.pending.append(_Truncation(0))

    def wrote(self, path: str, offset: int, data: bytes) -> None:
        """Take note of a write."""
        self._files[path].pending.append(_Write(offset, data))

    def truncated(self, path: str, size: int) -> None:
        """Take note of a truncation."""
        self._files[path].pending.append(_Truncation(size))

    def deleted(self, path: str, *, synced: bool) -> None:
        """Take note of a deletion."""
        if (file := self._files.get(path)) is not None:
            file.exists = False
        if synced:
            self.synced_directory()

    def synced(self, path: str) -> bool:
        """Make a file's pending changes certain, or lose them; return which."""
        file = self._files[path]
        fails = bool(file.pending) and path.endswith("-wal") and self.commit_fails()
        for change in () if fails else file.pending:
            change.apply(file.synced)
        file.pending.clear()
        return not fails

    def synced_directory(self) -> None:
        """Make certain which files there are. All of them are in one directory."""
        for path, file in list(self._files.items()):
            file.listed = file.exists
            if not file.exists:
                del self._files[path]


class _PowerFile(apsw.VFSFile):
    def __init__(self, disk: Disk, name: str | apsw.URIFilename, flags: list[int]) -> None:
        self._disk = disk
        self._path = name.filename() if isinstance(name, apsw.URIFilename) else name
        self._syncs_directory = bool(flags[0] & _SYNCS_ITS_DIRECTORY and flags[0] & apsw.SQLITE_OPEN_CREATE)
        with disk.between_operations():
            disk.opened(self._path)
            super().__init__(_BASE, name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        with self._disk.between_operations():
            super().xWrite(data, offset)
            self._disk.wrote(self._path, offset, bytes(data))

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - SQLite's name
        with self._disk.between_operations():
            super().xTruncate(newsize)
            self._disk.truncated(self._path, newsize)

    def xLock(self, level: int) -> None:  # noqa: N802 - SQLite's name
        """Say that a reader's file cannot be locked for writing as SQLite itself would take it: it is not told on."""
        try:
            super().xLock(level)
        except apsw.IOError as error:
            raise apsw.BusyError(str(error)) from None

    def xSync(self, flags: int) -> None:  # noqa: N802, ARG002 - SQLite's name and argument; the image is what is durable
        with self._disk.between_operations():
            if not self._disk.synced(self._path):
                raise apsw.IOError("the disk could not write")
            if self._syncs_directory:
                self._syncs_directory = False
                self._disk.synced_directory()


class _PowerVFS(apsw.VFS):
    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        super().__init__(_NAME, _BASE, makedefault=True)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        if name is None:
            return apsw.VFSFile(_BASE, name, flags)
        return _PowerFile(self._disk, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        with self._disk.between_operations():
            super().xDelete(filename, syncdir)
            self._disk.deleted(filename, synced=syncdir)


@contextmanager
def powered() -> Iterator[Disk]:
    """Have everything that apsw opens in this block lie on a disk whose power can be cut."""
    disk = Disk()
    vfs = _PowerVFS(disk)
    try:
        yield disk
    finally:
        vfs.unregister()
        apsw.set_default_vfs(_BASE)


def restore(image: Image, directory: Path) -> Path:
    """Write an image into a directory, for a gateway to start on; return the directory."""
    directory.mkdir()
    for name, content in image.items():
        (directory / name).write_bytes(content)
    return directory
