"""What a backup is on disk: its files and a manifest, in a folder or a tar archive. Durable before it has its name."""

import hashlib
import os
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Protocol

import msgspec

from tocsin.errors import TocsinError

MANIFEST = "manifest.json"

_FORMAT = 1
_CHUNK = 1 << 20
_MAX_MANIFEST = 1 << 20
_PLAIN, _PACKED = (".tar",), (".tar.gz", ".tgz")


class Progress(Protocol):
    """Is told what is being done, and how much of it is done (bytes)."""

    def __call__(self, what: str, done: int, size: int, /) -> None:
        """Take note."""


class Damaged(TocsinError):
    """It is not a backup, or not what was backed up. The message says what is wrong."""


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a backup."""

    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds, and which Tocsin made it when."""

    format: int
    tocsin: str
    made_at: datetime
    files: dict[str, Content]


def is_archive(path: Path) -> bool:
    """Return whether a backup of this name is an archive rather than a folder."""
    return path.name.endswith(_PLAIN + _PACKED)


def seal(folder: Path, names: Sequence[str], *, version: str, made_at: datetime, progress: Progress) -> Manifest:
    """Make the files of a folder durable, and write the manifest of them."""
    files = {name: _content(folder / name, progress) for name in names}
    manifest = Manifest(format=_FORMAT, tocsin=version, made_at=made_at, files=files)
    path = folder / MANIFEST
    path.touch(mode=0o600)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
    _sync(path)
    _sync(folder)
    return manifest


def publish(folder: Path, target: Path, progress: Progress) -> None:
    """Give a sealed folder its name, or pack it into the archive of that name."""
    ready = _pack(folder, target, progress) if is_archive(target) else folder
    ready.replace(target)
    _sync(target.absolute().parent)


class Backup:
    """A backup that is there, to be read from."""

    def __init__(self, source: Path, archive: tarfile.TarFile | None) -> None:
        self._source = source
        self._archive = archive
        self.manifest = self._read_manifest()

    def take(self, name: str, target: Path, progress: Progress) -> None:
        """Copy a file of the backup to a new file, and make it durable.

        Raises Damaged where it is not what was backed up.
        """
        expected = self.manifest.files.get(name)
        if expected is None:
            raise Damaged(f"{self._source} is damaged: its {MANIFEST} does not name {name}")
        digest, done = hashlib.sha256(), 0
        target.touch(mode=0o600)
        with self._open(name) as file, target.open("wb") as out:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                done += out.write(chunk)
                progress(f"copying {name}", done, expected.bytes)
        _sync(target)
        if (done, digest.hexdigest()) != (expected.bytes, expected.sha256):
            raise Damaged(f"{self._source} is damaged: its {name} is not what was backed up")

    def _read_manifest(self) -> Manifest:
        try:
            with self._open(MANIFEST) as file:
                manifest = msgspec.json.decode(file.read(_MAX_MANIFEST), type=Manifest)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Damaged(f"{self._source} is damaged: its {MANIFEST} cannot be read ({error})") from None
        if manifest.format != _FORMAT:
            raise Damaged(f"{self._source} was made by Tocsin {manifest.tocsin}: use that version, or a newer one")
        return manifest

    @contextmanager
    def _open(self, name: str) -> Iterator[IO[bytes]]:
        try:
            file = (self._source / name).open("rb") if self._archive is None else self._archive.extractfile(name)
            if file is None:
                raise Damaged(f"{self._source} is no backup: its {name} is no file")
            with closing(file):
                yield file
        except (KeyError, FileNotFoundError):
            raise Damaged(f"{self._source} is no backup: there is no {name} in it") from None
        except (tarfile.TarError, EOFError) as error:
            raise Damaged(f"{self._source} is damaged: {error}") from None


@contextmanager
def opened(source: Path) -> Iterator[Backup]:
    """Open a backup. Raises Damaged."""
    if source.is_dir():
        yield Backup(source, None)
        return
    try:
        archive = tarfile.open(source)  # noqa: SIM115 - closed below; a `with` here would take the errors of the block
    except (OSError, tarfile.TarError, EOFError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "it is no tar archive"
        raise Damaged(f"{source} is no backup: {why}") from None
    with closing(archive):
        yield Backup(source, archive)


def _content(path: Path, progress: Progress) -> Content:
    """Return what a file holds, after it was made durable."""
    _sync(path)
    size, done, digest = path.stat().st_size, 0, hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            done += len(chunk)
            progress(f"summing {path.name}", done, size)
    return Content(bytes=done, sha256=digest.hexdigest())


def _pack(folder: Path, target: Path, progress: Progress) -> Path:
    """Write the archive into the folder itself, from where it is moved in one step."""
    packed = folder / "packed"
    packed.touch(mode=0o600)
    with _writing(packed, compressed=target.name.endswith(_PACKED)) as archive:
        # The manifest first: a reader of a stream knows what is to come.
        for path in sorted(folder.iterdir(), key=lambda path: path.name != MANIFEST):
            if path != packed:
                progress(f"packing {path.name}", 0, path.stat().st_size)
                archive.add(path, arcname=path.name)
    _sync(packed)
    return packed


def _writing(path: Path, *, compressed: bool) -> tarfile.TarFile:
    return tarfile.open(path, "w:gz", compresslevel=3) if compressed else tarfile.open(path, "w")


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
