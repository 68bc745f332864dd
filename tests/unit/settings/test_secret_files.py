"""Which files settings name, and when another one is there."""

import os
from pathlib import Path
from typing import Any

from tocsin.runtime.discover import channels, setting_sections
from tocsin.settings import secret_files
from tocsin.settings.load import load
from tocsin.settings.secret_files import FileWatch


def watching(path: Path) -> FileWatch:
    return FileWatch({"email.password_file": path})


def test_every_file_of_a_channel_is_found_by_its_key() -> None:
    overrides: dict[str, dict[str, Any]] = {
        "email": {"password_file": "/s/password", "dkim_key_file": "/s/dkim", "ca_file": "/s/ca"},
        "ses": {"secret_access_key_file": "/s/ses"},
        "webpush": {"vapid_key_file": "/s/vapid", "retired_key_files": ["/s/old", "/s/older"]},
    }
    settings = load(setting_sections(), path=None, environ={}, overrides=overrides)
    found = {name: secret_files.named(settings, channels()[name].settings) for name in ("email", "browser", "sms")}

    assert {key: str(path) for key, path in found["email"].items()} == {
        "email.password_file": "/s/password",
        "email.dkim_key_file": "/s/dkim",
        "email.ca_file": "/s/ca",
        "ses.secret_access_key_file": "/s/ses",
    }
    assert {key: str(path) for key, path in found["browser"].items()} == {
        "webpush.vapid_key_file": "/s/vapid",
        "webpush.retired_key_files[0]": "/s/old",
        "webpush.retired_key_files[1]": "/s/older",
    }
    assert not FileWatch(found["sms"])


def test_a_file_that_stays_is_no_change(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("old")
    watch = watching(path)

    assert [watch.changed() for _ in range(3)] == [()] * 3


def test_a_change_is_told_once_and_only_when_two_looks_find_it_alike(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("old")
    watch = watching(path)
    path.write_text("half")
    first = watch.changed()
    path.write_text("half of it and the rest")

    assert first == ()
    assert [watch.changed() for _ in range(3)] == [(), ("email.password_file",), ()]


def test_at_once_it_is_told_at_the_first_look(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("old")
    watch = watching(path)
    path.write_text("another")

    assert watch.changed(at_once=True) == ("email.password_file",)
    assert watch.changed(at_once=True) == ()


def test_a_file_of_the_same_size_and_time_that_took_the_place_is_a_change(tmp_path: Path) -> None:
    path, other = tmp_path / "password", tmp_path / "new"
    path.write_text("old")
    other.write_text("new")
    times = path.stat()
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    watch = watching(path)
    other.replace(path)

    assert watch.changed(at_once=True) == ("email.password_file",)


def test_a_link_above_that_is_turned_to_another_folder_is_a_change(tmp_path: Path) -> None:
    for name in ("2030-01", "2030-02"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "password").write_text(name)
    (tmp_path / "..data").symlink_to("2030-01")
    (tmp_path / "password").symlink_to("..data/password")
    watch = watching(tmp_path / "password")
    (tmp_path / "..data_tmp").symlink_to("2030-02")
    (tmp_path / "..data_tmp").replace(tmp_path / "..data")

    assert watch.changed(at_once=True) == ("email.password_file",)


def test_a_file_that_goes_and_comes_back_is_told_each_time(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("old")
    watch = watching(path)
    path.unlink()
    gone = watch.changed(at_once=True)
    path.write_text("old")

    assert (gone, watch.changed(at_once=True)) == (("email.password_file",),) * 2
