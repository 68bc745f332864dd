"""`tocsin restore`: a backup, put into a data directory that no gateway uses.

Everything is copied beside its place and checked there first. Then the names change in an order in which no crash
leaves something that a gateway would take for its data: the store never stands beside a log that is not its own.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, count
from pathlib import Path

from tocsin.runtime import container
from tocsin.runtime.backup import LOG, STORE, BackupError, LogFile, Places, expect_free, places
from tocsin.runtime.container import Backup, Manifest, Progress
from tocsin.settings.values import Settings
from tocsin.store import snapshot as store_file

_LOCK = "tocsin.lock"
# SQLite's own, beside a database: left there, they would be taken for those of the new one.
_BESIDE = ("", "-wal", "-shm", "-journal")
_UNFINISHED = "tocsin restore was cut off here. Run it again, with --replace.\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What was put where. `set_aside` is the folder with what was there before, if there was anything."""

    manifest: Manifest
    data_dir: Path
    set_aside: Path | None


def restore(
    settings: Settings, source: Path, *, replace: bool, log_file: LogFile, now: datetime, progress: Progress
) -> Restored:
    """Put a backup into the data directory of the settings: all of it, or nothing.

    With `replace` what is there is set aside first. Raises BackupError, Damaged, LogLocked, LogUnavailable,
    StoreUnavailable, SettingsError.
    """
    where = places(settings)
    with container.opened(source) as backup, _told(where.data_dir):
        where.data_dir.mkdir(parents=True, exist_ok=True)
        where.store.parent.mkdir(parents=True, exist_ok=True)
        with log_file.locked(where.data_dir):
            _expect_empty(where, replace=replace)
            expect_free(where.data_dir, sum(content.bytes for content in backup.manifest.files.values()))
            with (
                _copied(backup, LOG, where.log, log_file.check, progress) as log,
                _copied(backup, STORE, where.store, store_file.check, progress) as store,
            ):
                set_aside = _put(where, log=log, store=store, now=now)
            return Restored(manifest=backup.manifest, data_dir=where.data_dir, set_aside=set_aside)


def _expect_empty(where: Places, *, replace: bool) -> None:
    there = sorted(path.name for path in where.data_dir.iterdir() if path.name != _LOCK)
    there += [str(where.store)] if where.store.exists() and where.store.parent != where.data_dir else []
    if there and not replace:
        raise BackupError(
            f"{where.data_dir} is not empty ({', '.join(there[:3])}): name another with TOCSIN__DATA_DIR, or say "
            "--replace to set aside what is there"
        )


@contextmanager
def _copied(
    backup: Backup, name: str, place: Path, check: Callable[[Path], None], progress: Progress
) -> Iterator[Path]:
    """Yield a checked copy of a file beside its place; removed at the end if it is still there."""
    copied = place.with_name(f"{place.name}.restoring")
    copied.unlink(missing_ok=True)
    try:
        backup.take(name, copied, progress)
        progress(f"checking {name}", 0, 1)
        check(copied)
        yield copied
    finally:
        copied.unlink(missing_ok=True)


def _put(where: Places, *, log: Path, store: Path, now: datetime) -> Path | None:
    """Change the names. From the first step to the last, a gateway finds a log that it refuses to open."""
    unfinished = where.log.with_name(f"{LOG}.unfinished")
    unfinished.write_text(_UNFINISHED, encoding="utf-8")
    old = [path for place in (where.log, where.store) for path in _database(place)]
    aside = _new_folder(where.data_dir, f"replaced-{now:%Y%m%dT%H%M%SZ}") if old else where.data_dir
    for path in old:
        shutil.move(path, aside / path.name)
        if path == where.log:
            unfinished.replace(where.log)
    if unfinished.exists():
        unfinished.replace(where.log)
    store.replace(where.store)
    _sync(where.store.parent)
    log.replace(where.log)
    _sync(where.data_dir)
    return aside if old else None


def _new_folder(parent: Path, name: str) -> Path:
    for ending in chain([""], (f"-{number}" for number in count(2))):
        with suppress(FileExistsError):
            (parent / f"{name}{ending}").mkdir(mode=0o700)
            return parent / f"{name}{ending}"
    raise AssertionError("there is always another number")


def _database(place: Path) -> list[Path]:
    """Return the files of a database that are there, its own first."""
    return [path for end in _BESIDE if (path := place.with_name(place.name + end)).exists()]


def _sync(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


@contextmanager
def _told(data_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BackupError(
            f"the backup cannot be restored to {data_dir}: {error.strerror or error}. Mend that and run it again, with "
            "--replace if it says so; what was there is there still, or in its newest folder replaced-…"
        ) from error
