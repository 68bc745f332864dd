"""`tocsin backup` and `tocsin restore` on data that no gateway uses: what is copied, and what is refused."""

import json
import stat
import tarfile
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from typer.testing import Result

from tests.unit.cli import backup_data as data
from tests.unit.cli.backup_data import AUDIT, DELIVERIES, SINK, WORKER
from tests.unit.cli.conftest import Run
from tocsin import topics
from tocsin.errors import LogUnavailable
from tocsin.eventlog.embedded import lock, snapshot
from tocsin.eventlog.embedded.log import EmbeddedLog
from tocsin.record import Partition
from tocsin.runtime import backends
from tocsin.store.engine import Store

Step = Callable[[], None]


class Meanwhile:
    """The log's file, with something that the gateway does between the copy of the store and that of the log."""

    def __init__(self, *steps: Step) -> None:
        self._steps = list(steps)
        self.copies = 0

    def locked(self, directory: Path) -> AbstractContextManager[None]:
        return snapshot.locked(directory)

    def starts(self, path: Path) -> dict[Partition, int]:
        return snapshot.starts(path)

    def copy(self, source: Path, target: Path, progress: Callable[[int, int], None]) -> None:
        self.copies += 1
        if self._steps:
            self._steps.pop(0)()
        snapshot.copy(source, target, progress)

    def rewind(
        self, path: Path, kept: Mapping[tuple[str, Partition], int], floor: Mapping[Partition, int]
    ) -> list[str]:
        return snapshot.rewind(path, kept, floor)

    def check(self, path: Path) -> None:
        snapshot.check(path)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    directory = tmp_path / "data"
    data.filled(directory, ingested=4)
    return directory


def restored(run: Run, made: Path, directory: Path, *more: str) -> Result:
    return run("restore", str(made), *more, environ={"TOCSIN__DATA_DIR": str(directory)})


def between(monkeypatch: pytest.MonkeyPatch, *steps: Step) -> Meanwhile:
    """Have steps taken between the copies, one a try."""
    made = Meanwhile(*steps)
    monkeypatch.setattr(backends, "log_file", lambda: made)
    return made


@pytest.mark.parametrize("name", ["made", "made.tar", "made.tar.gz", "made.tgz"])
def test_what_was_backed_up_comes_back(run: Run, source: Path, tmp_path: Path, name: str) -> None:
    assert source.is_dir()
    result = run("backup", name)
    back = restored(run, tmp_path / name, tmp_path / "other")

    assert (result.exit_code, back.exit_code) == (0, 0), result.output + back.output
    assert data.committed(tmp_path / "other") == {SINK: 4, WORKER: 2}
    assert data.count(tmp_path / "other", topics.AUDIT) == 10
    assert data.count(tmp_path / "other", DELIVERIES) == 3
    assert "will be sent a second time" in back.stderr


@pytest.mark.usefixtures("source")
def test_a_backup_is_its_owners_and_nothing_else_is_left(run: Run, tmp_path: Path) -> None:
    run("backup", "folder")
    run("backup", "file.tar.gz")

    assert {path.name for path in tmp_path.iterdir()} == {"data", "folder", "file.tar.gz"}
    assert {path.name for path in (tmp_path / "folder").iterdir()} == {"log.db", "store.db", "manifest.json"}
    private = [tmp_path / "folder", tmp_path / "file.tar.gz", *(tmp_path / "folder").iterdir()]
    assert [path for path in private if stat.S_IMODE(path.stat().st_mode) & 0o077] == []
    with tarfile.open(tmp_path / "file.tar.gz") as archive:
        assert sorted(archive.getnames()) == ["log.db", "manifest.json", "store.db"]


def test_the_manifest_is_told_in_json(run: Run, source: Path, tmp_path: Path) -> None:
    made = json.loads(run("backup", "made", "--json").stdout)
    back = json.loads(restored(run, tmp_path / "made", tmp_path / "other", "--json").stdout)

    assert made == {"backup": "made", "manifest": json.loads((tmp_path / "made" / "manifest.json").read_text())}
    assert back == {"data_dir": str(tmp_path / "other"), "set_aside": None, "manifest": made["manifest"]}
    assert made["manifest"]["made_at"] == "2030-01-01T12:00:30Z"
    assert made["manifest"]["files"]["log.db"]["bytes"] == (tmp_path / "made" / "log.db").stat().st_size
    assert source.is_dir()


def test_the_logs_note_of_a_sink_goes_back_to_that_of_the_copied_store(
    run: Run, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store was copied first: what was ingested between the copies has to be read again after a restore."""

    def goes_on() -> None:
        async def work(log: EmbeddedLog, store: Store) -> None:
            await data.tell(log, 10)
            await data.ingest(log, store, 15)

        data.used(source, work)

    between(monkeypatch, goes_on)
    run("backup", "made")

    assert data.committed(source)[SINK] == 15
    assert data.committed(tmp_path / "made") == {SINK: 4, WORKER: 2}
    restored(run, tmp_path / "made", tmp_path / "other")
    assert data.count(tmp_path / "other", topics.AUDIT) == 20


def test_a_sink_that_the_copied_store_does_not_know_yet_begins_at_the_beginning(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data.filled(tmp_path / "data", ingested=0)

    def first_batch() -> None:
        data.used(tmp_path / "data", lambda log, store: data.ingest(log, store, 7))

    between(monkeypatch, first_batch)
    run("backup", "made")

    assert data.committed(tmp_path / "made")[SINK] == 0


def loses(source: Path) -> Step:
    """Return a step in which the audit reads on, and the log deletes what it has read."""

    def lose() -> None:
        async def work(log: EmbeddedLog, store: Store) -> None:
            start = snapshot.starts(source / "log.db")[AUDIT]
            await data.tell(log, 10)
            await data.ingest(log, store, start + 8)
            await data.forget(log, start + 8)

        data.used(source, work)

    return lose


def test_what_the_log_deletes_between_the_copies_has_both_copied_anew(
    run: Run, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copying = between(monkeypatch, loses(source))
    result = run("backup", "made")

    assert result.exit_code == 0, result.output
    assert copying.copies == 2
    assert data.committed(tmp_path / "made")[SINK] == 8


def test_a_log_that_deletes_all_the_time_is_not_backed_up_and_it_says_why(
    run: Run, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    between(monkeypatch, *[loses(source)] * 3)
    result = run("backup", "made")

    assert result.exit_code == 1
    assert "raise eventlog.max_bytes" in result.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"data"}


def test_a_store_ahead_of_its_log_is_no_pair(run: Run, source: Path, tmp_path: Path) -> None:
    """As after restoring one file of the two by hand: the audit would skip what comes."""
    data.used(source, lambda log, store: data.ingest(log, store, 11))
    result = run("backup", "made")

    assert result.exit_code == 1
    assert "does not have what the store is to read next of notifications.audit/0" in result.stderr
    assert not (tmp_path / "made").exists()


def test_a_place_that_is_taken_and_a_gateway_that_never_ran_are_refused(run: Run, source: Path) -> None:
    run("backup", "made")
    again = run("backup", "made")
    nothing = run("backup", "other", environ={"TOCSIN__DATA_DIR": "nowhere"})

    assert (again.exit_code, nothing.exit_code) == (1, 1)
    assert "made is there already" in again.stderr
    assert "no gateway has run there" in nothing.stderr
    assert source.is_dir()


def test_a_store_elsewhere_is_found_by_the_settings(run: Run, source: Path, tmp_path: Path) -> None:
    (tmp_path / "sql").mkdir()
    (source / "store.db").rename(tmp_path / "sql" / "tocsin.db")
    there = {"TOCSIN__STORE__URL": f"sqlite:///{tmp_path / 'sql' / 'tocsin.db'}"}
    assert run("backup", "made", environ=there).exit_code == 0

    other = {"TOCSIN__DATA_DIR": "other", "TOCSIN__STORE__URL": f"sqlite:///{tmp_path / 'new' / 'tocsin.db'}"}
    assert run("restore", "made", environ=other).exit_code == 0
    assert (tmp_path / "new" / "tocsin.db").read_bytes() == (tmp_path / "made" / "store.db").read_bytes()
    assert not (tmp_path / "other" / "store.db").exists()


def test_a_restore_refuses_what_is_there_and_sets_it_aside_when_told(run: Run, source: Path, tmp_path: Path) -> None:
    run("backup", "made")
    data.used(source, lambda log, _: data.tell(log, 5))
    refused = restored(run, tmp_path / "made", source)
    told = restored(run, tmp_path / "made", source, "--replace")

    assert refused.exit_code == 1
    assert "is not empty" in refused.stderr
    assert told.exit_code == 0, told.output
    assert data.count(source, topics.AUDIT) == 10
    [aside] = source.glob("replaced-*")
    assert aside.name == "replaced-20300101T120030Z"
    assert data.count(aside, topics.AUDIT) == 15


def test_a_locked_directory_is_refused_whatever_is_said(run: Run, source: Path, tmp_path: Path) -> None:
    run("backup", "made")
    with lock.held(source):
        result = restored(run, tmp_path / "made", source, "--replace")

    assert result.exit_code == 1
    assert "is locked by pid" in result.stderr
    assert data.count(source, topics.AUDIT) == 10


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("name", ["log.db", "store.db"])
def test_a_backup_that_was_changed_is_refused_and_nothing_is_left(run: Run, tmp_path: Path, name: str) -> None:
    run("backup", "made")
    path = tmp_path / "made" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    result = restored(run, tmp_path / "made", tmp_path / "other")

    assert result.exit_code == 1
    assert f"is damaged: its {name} is not what was backed up" in result.stderr
    assert [each.name for each in (tmp_path / "other").iterdir()] == ["tocsin.lock"]


def test_a_damaged_database_is_not_backed_up(run: Run, source: Path, tmp_path: Path) -> None:
    with (source / "store.db").open("r+b") as file:
        file.seek(4096)
        file.write(bytes(8192))
    result = run("backup", "made")

    assert result.exit_code == 1
    assert "store" in result.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"data"}


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.mkdir(), "is no backup: there is no manifest.json in it"),
        (lambda path: path.write_text("tar?"), "is no backup: it is no tar archive"),
        (lambda _: None, "is no backup: No such file or directory"),
    ],
)
def test_what_is_no_backup_is_refused(run: Run, tmp_path: Path, make: Callable[[Path], None], said: str) -> None:
    make(tmp_path / "made")
    result = restored(run, tmp_path / "made", tmp_path / "other")

    assert (result.exit_code, result.stdout) == (1, "")
    assert said in result.stderr


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        ('{"format": 2, "tocsin": "9.1", "made_at": "2030-01-01T00:00:00Z", "files": {}}', "made by Tocsin 9.1"),
        ('{"format": 1, "tocsin": "9.1", "made_at": "2030-01-01T00:00:00Z", "files": {}}', "does not name log.db"),
        ("{", "its manifest.json cannot be read"),
    ],
)
def test_a_manifest_that_cannot_be_used_is_told(run: Run, tmp_path: Path, manifest: str, said: str) -> None:
    run("backup", "made")
    (tmp_path / "made" / "manifest.json").write_text(manifest)
    result = restored(run, tmp_path / "made", tmp_path / "other")

    assert result.exit_code == 1
    assert said in result.stderr


def test_an_archive_that_was_cut_off_is_told(run: Run, source: Path, tmp_path: Path) -> None:
    run("backup", "made.tar")
    path = tmp_path / "made.tar"
    path.write_bytes(path.read_bytes()[:100_000])
    result = restored(run, path, tmp_path / "other")

    assert result.exit_code == 1
    assert "made.tar" in result.stderr
    assert not (tmp_path / "other" / "log.db").exists()
    assert source.is_dir()


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("place", ["data", "other"])
@pytest.mark.parametrize("cut_off_at", ["store.db.restoring", "log.db.restoring"])
def test_a_restore_that_is_cut_off_leaves_nothing_that_a_gateway_would_run_on(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut_off_at: str, place: str
) -> None:
    run("backup", "made")
    target = tmp_path / place
    rename = Path.replace

    def cut(path: Path, to: Path) -> Path:
        if path.name == cut_off_at:
            raise OSError(5, "the power went")
        return rename(path, to)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", cut)
        result = restored(run, tmp_path / "made", target, "--replace")
    assert result.exit_code == 1
    with pytest.raises(LogUnavailable, match="not a database"):
        data.count(target, topics.AUDIT)

    again = restored(run, tmp_path / "made", target, "--replace")
    assert again.exit_code == 0, again.output
    assert data.count(target, topics.AUDIT) == 10
    assert data.committed(target)[SINK] == 4


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_each_command_shows_how_it_is_used(run: Run, command: str) -> None:
    result = run(command, "--help", columns=80)

    assert result.exit_code == 0
    assert f"  tocsin {command} /backup/tocsin-monday" in result.stdout
