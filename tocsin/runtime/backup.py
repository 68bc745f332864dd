"""`tocsin backup`: the data directory, copied while the gateway runs.

The store is copied first and the log after it, never the other way round. The store says how far each sink has read
the log, and the log's offsets go on where the log ends. A store that were ahead of its log would, once restored, skip
the new records that are given those offsets: the audit would miss them in silence. A store that is behind only reads
again what came between, which changes nothing. So the log's own note of how far these sinks are is set back to the
store's, and should the log have deleted meanwhile what the store has yet to read, both are copied anew.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from tocsin.errors import SettingsError, TocsinError
from tocsin.record import Partition
from tocsin.runtime import container
from tocsin.runtime.container import Manifest, Progress
from tocsin.settings import sections
from tocsin.settings.values import Settings
from tocsin.store import snapshot as store_file

LOG, STORE = "log.db", "store.db"

_TRIES = 3


class BackupError(TocsinError):
    """A backup could not be made, or not be put back. The message says why."""


class LogFile(Protocol):
    """What can be done to the event log's file. See `eventlog.embedded.snapshot`."""

    def locked(self, directory: Path) -> AbstractContextManager[None]:
        """Keep every gateway out of a data directory."""

    def starts(self, path: Path) -> Mapping[Partition, int]:
        """Return the first offset that there still is of every partition."""

    def copy(self, source: Path, target: Path, progress: Callable[[int, int], None]) -> None:
        """Copy the log as it is at this moment."""

    def rewind(
        self, path: Path, kept: Mapping[tuple[str, Partition], int], floor: Mapping[Partition, int]
    ) -> list[str]:
        """Set the sinks' offsets of a copy back to the store's; return the partitions where the log lacks records."""

    def check(self, path: Path) -> None:
        """Read the whole file and check its structure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the files of the data are."""

    data_dir: Path
    log: Path
    store: Path


def places(settings: Settings) -> Places:
    """Return where the data is. Raises BackupError where the store is no file, SettingsError."""
    data_dir = Path(settings.section("", sections.Top).data_dir).expanduser()
    url = settings.section("store", sections.Store).url
    return Places(data_dir=data_dir, log=data_dir / LOG, store=_store(url) if url else data_dir / STORE)


def back_up(
    settings: Settings, target: Path, *, log_file: LogFile, version: str, now: datetime, progress: Progress
) -> Manifest:
    """Make a backup at `target`: a folder, or an archive if it is named like one. It is there whole, or not at all.

    Raises BackupError, LogUnavailable, StoreUnavailable, SettingsError.
    """
    where = places(settings)
    _expect_data(where)
    _expect_room(where, target)
    with _staging(target) as folder:
        _copy(where, folder, log_file, progress)
        for name, check in ((STORE, store_file.check), (LOG, log_file.check)):
            progress(f"checking {name}", 0, 1)
            check(folder / name)
        manifest = container.seal(folder, (STORE, LOG), version=version, made_at=now, progress=progress)
        container.publish(folder, target, progress)
    return manifest


def _store(url: str) -> Path:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise SettingsError("store.url is not a database URL; write sqlite:///<path of the file>") from None
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        raise BackupError(
            f"the store is {parsed.get_backend_name()}, not a file: back it up with that database's tools"
        )
    return Path(parsed.database)


def _expect_data(where: Places) -> None:
    for path in (where.log, where.store):
        if not path.is_file():
            raise BackupError(
                f"there is no {path}: no gateway has run there. Name its settings with --config, or its data "
                f"directory with TOCSIN__DATA_DIR"
            )


def _expect_room(where: Places, target: Path) -> None:
    if target.exists() and not (target.is_dir() and not any(target.iterdir()) and not container.is_archive(target)):
        raise BackupError(f"{target} is there already: name a new folder or file, or remove that one")
    try:
        target.absolute().parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BackupError(f"cannot make the folder {target.absolute().parent}: {error.strerror}") from error
    size = where.log.stat().st_size + where.store.stat().st_size
    expect_free(target.absolute().parent, size * 2 if container.is_archive(target) else size)


def expect_free(folder: Path, size: int) -> None:
    """Raise BackupError where a file system has less room than that (bytes)."""
    free = shutil.disk_usage(folder).free
    if free < size:
        raise BackupError(f"{folder} has room for {free:,} bytes, and {size:,} are needed")


@contextmanager
def _staging(target: Path) -> Iterator[Path]:
    """Yield a private folder beside the target, removed at the end if it is still there."""
    parent = target.absolute().parent
    try:
        folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=parent))
    except OSError as error:
        raise BackupError(f"cannot write to {parent}: {error.strerror}") from error
    try:
        yield folder
    except OSError as error:
        raise BackupError(f"the backup cannot be written to {target}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _copy(where: Places, folder: Path, log_file: LogFile, progress: Progress) -> None:
    missing: list[str] = []
    for _ in range(_TRIES):
        floor = log_file.starts(where.log)
        for name in (STORE, LOG):
            # Made here, so that nobody else may read it from the first byte on.
            (folder / name).unlink(missing_ok=True)
            (folder / name).touch(mode=0o600)
        store_file.copy(where.store, folder / STORE, _of(progress, STORE))
        log_file.copy(where.log, folder / LOG, _of(progress, LOG))
        missing = log_file.rewind(folder / LOG, store_file.offsets(folder / STORE), floor)
        if not missing:
            return
    raise BackupError(
        f"the log does not have what the store is to read next of {', '.join(missing)}. Near its size cap it deletes "
        "what it can, also while it is copied: try again when less is going on, or raise eventlog.max_bytes"
    )


def _of(progress: Progress, name: str) -> Callable[[int, int], None]:
    return lambda done, size: progress(f"copying {name}", done, size)
