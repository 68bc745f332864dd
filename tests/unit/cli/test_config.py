"""`tocsin config`: on the settings alone, without a gateway."""

import json
from pathlib import Path

import msgspec
import pytest

from tests.unit.cli.conftest import Run
from tocsin.runtime import discover
from tocsin.settings import sections


class Mail(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    host: str = "127.0.0.1"
    password: sections.Secret = ""


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the installed services out: what they are is not what this is about."""
    monkeypatch.setattr(discover, "setting_sections", lambda: {"http": sections.Http, "mail": Mail})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tocsin.toml"
    path.write_text('[http]\nport = 9000\n\n[mail]\npassword = "hunter2"\n', encoding="utf-8")
    return path


def test_what_is_right_names_its_sources(run: Run, file: Path) -> None:
    result = run("config", "check", "--config", str(file), environ={"TOCSIN__HTTP__HOST": "::1"})

    assert result.exit_code == 0
    assert result.stdout == f"OK: file {file}, environment TOCSIN__HTTP__HOST\n"


def test_what_is_right_in_json(run: Run, file: Path) -> None:
    result = run("config", "check", "--json", environ={"TOCSIN_CONFIG": str(file)})

    assert json.loads(result.stdout) == {"ok": True, "file": str(file), "environment": []}


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_every_mistake_is_told_with_its_place(run: Run, file: Path, more: tuple[str, ...]) -> None:
    file.write_text('[http]\nprt = 1\nport = "x"\n', encoding="utf-8")

    result = run("config", "check", "--config", str(file), *more)

    assert (result.exit_code, result.stdout) == (2, "")
    assert f"http.prt (file {file}, line 2): is no setting; did you mean port?" in result.stderr
    assert f"http.port (file {file}, line 3): must be an integer from 0 to 65535" in result.stderr


def test_broken_toml_and_a_missing_file_are_settings_too(run: Run, file: Path) -> None:
    file.write_text("[http\n", encoding="utf-8")

    broken = run("config", "check", "--config", str(file))
    missing = run("config", "check", "--config", "no.toml")

    assert (broken.exit_code, missing.exit_code) == (2, 2)
    assert "is not TOML" in broken.stderr
    assert "no.toml (--config): does not exist" in missing.stderr


def test_each_setting_is_shown_with_its_origin_and_secrets_are_masked(run: Run, file: Path) -> None:
    result = run("config", "show", "--config", str(file), columns=200)
    rows = [line.split(maxsplit=2) for line in result.stdout.splitlines()]

    assert ["http.port", "9000", f"file {file}, line 2"] in [[cell.rstrip() for cell in row] for row in rows]
    assert ["http.host", '"127.0.0.1"', "default"] in [[cell.rstrip() for cell in row] for row in rows]
    assert "hunter2" not in result.stdout


def test_settings_in_json(run: Run, file: Path) -> None:
    result = run("config", "show", "--config", str(file), "--json")
    shown = json.loads(result.stdout)

    assert shown["http.port"] == {"value": 9000, "origin": f"file {file}, line 2"}
    assert shown["mail.password"]["value"] == "********"
