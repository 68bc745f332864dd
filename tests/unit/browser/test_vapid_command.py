"""`tocsin vapid new`: a key that works, in a file for nobody else, and none lost."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from channels.browser import keys
from channels.browser.settings import WebPushSettings
from tocsin.cli.main import build


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_file_is_a_key_of_ours_and_its_owners_alone(tmp_path: Path) -> None:
    result = CliRunner().invoke(build(), ["vapid", "new", "key.pem", "--json"])
    told = json.loads(result.stdout)
    file = tmp_path / "key.pem"
    found = keys.load(WebPushSettings(vapid_key_file=str(file)))

    assert result.exit_code == 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert told == {"file": "key.pem", "public_key": found.current.public}


def test_it_says_where_the_key_is_and_shows_the_public_one_only(tmp_path: Path) -> None:
    result = CliRunner().invoke(build(), ["vapid", "new"])
    text = (tmp_path / "vapid.pem").read_text()
    found = keys.read(text)

    assert found is not None
    assert "vapid.pem" in result.stdout
    assert found.public in result.stdout
    assert all(line not in result.output for line in text.splitlines())


def test_a_key_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "vapid.pem").write_text("kept")
    result = CliRunner().invoke(build(), ["vapid", "new"])

    assert result.exit_code == 1
    assert "is there already" in result.stderr
    assert (tmp_path / "vapid.pem").read_text() == "kept"


def test_a_place_that_cannot_be_written_is_told() -> None:
    result = CliRunner().invoke(build(), ["vapid", "new", "no/such/folder.pem"])

    assert result.exit_code == 1
    assert "cannot be written" in result.stderr
