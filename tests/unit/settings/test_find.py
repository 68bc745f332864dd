"""Which file holds, and secrets out of files."""

from pathlib import Path

import pytest

from tocsin.errors import SettingsError
from tocsin.settings.find import find
from tocsin.settings.secrets import secret


def test_named_file_wins(tmp_path: Path) -> None:
    named, other = tmp_path / "a.toml", tmp_path / "b.toml"
    named.touch()
    other.touch()

    assert find(str(named), {"TOCSIN_CONFIG": str(other)}) == named
    assert find(None, {"TOCSIN_CONFIG": str(other)}) == other


def test_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nope.toml \(--config\): does not exist"):
        find(str(tmp_path / "nope.toml"), {})
    with pytest.raises(SettingsError, match=r"TOCSIN_CONFIG.*is a directory"):
        find(None, {"TOCSIN_CONFIG": str(tmp_path)})


def test_file_here_wins_over_the_packaged_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    packaged = find(None, {"TOCSIN_CONFIG": ""})
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "tocsin.toml").touch()

    assert packaged is not None
    assert packaged.is_file()
    assert find(None, {}) == Path("configs/tocsin.toml")


@pytest.mark.parametrize(("text", "found"), [("s3cret\n", "s3cret"), ("a\n\n", "a\n"), ("a\r\n", "a"), ("a", "a")])
def test_secret_file_loses_one_newline(tmp_path: Path, text: str, found: str) -> None:
    path = tmp_path / "key"
    path.write_bytes(text.encode())

    assert secret(None, str(path)) == found


def test_secret_value_and_nothing() -> None:
    assert secret("x", "") == "x"
    assert secret("", None) is None


def test_secret_mistakes_name_the_key_and_never_the_secret(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with pytest.raises(SettingsError, match=r"email.password: is given both") as caught:
        secret("hunter2", str(path), key="email.password")
    assert "hunter2" not in str(caught.value)
    with pytest.raises(SettingsError, match=r"email.password_file: .* cannot be read"):
        secret(None, str(path), key="email.password")
    path.write_bytes(b"\n")
    with pytest.raises(SettingsError, match="is empty"):
        secret(None, str(path))
    path.write_bytes(b"\xff")
    with pytest.raises(SettingsError, match="is not UTF-8"):
        secret(None, str(path))
