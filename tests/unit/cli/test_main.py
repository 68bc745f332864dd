"""The command line as a whole: help that teaches, and nothing loaded for it that it does not need."""

import json
import subprocess
import sys
from importlib.metadata import version

import pytest

from tests.unit.cli.conftest import Run

COMMANDS = [
    ("up",),
    ("send",),
    ("status",),
    ("dlq", "list"),
    ("dlq", "show"),
    ("dlq", "replay"),
    ("dlq", "discard"),
    ("suppressions", "list"),
    ("suppressions", "add"),
    ("suppressions", "lift"),
    ("sms", "estimate"),
    ("keys", "create"),
    ("keys", "list"),
    ("keys", "revoke"),
    ("vapid", "new"),
    ("config", "check"),
    ("config", "show"),
    ("backup",),
    ("restore",),
]
HEAVY = ("httpx", "fastapi", "sqlalchemy", "apsw", "jsonschema", "asyncio", "jinja2", "uvicorn")


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_shows_how_it_is_used(run: Run, command: tuple[str, ...]) -> None:
    result = run(*command, "--help", columns=80)

    assert result.exit_code == 0
    assert "Example" in result.stdout
    assert f"  tocsin {' '.join(command)}" in result.stdout


def test_without_a_command_it_shows_the_help(run: Run) -> None:
    result = run()

    assert result.exit_code == 2
    assert "tocsin up --demo" in result.output


def test_an_unknown_command_is_a_usage_error(run: Run) -> None:
    assert run("sned").exit_code == 2


def test_the_version(run: Run) -> None:
    assert run("version").stdout == f"tocsin {version('tocsin')}\n"
    assert json.loads(run("version", "--json").stdout)["tocsin"] == version("tocsin")


def test_help_loads_nothing_that_is_slow() -> None:
    code = "import sys; from tocsin.cli.main import build; build(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert "tocsin.cli.send" in loaded
    assert [name for name in HEAVY if name in loaded] == []
