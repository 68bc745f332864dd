"""`tocsin up`: what it hands to the gateway, what it tells, and how a start that fails ends."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.conftest import Run
from tests.unit.cli.support import KEY
from tocsin.cli import tour
from tocsin.errors import LogLocked, SettingsError, TemplateError, TocsinError
from tocsin.runtime import gateway
from tocsin.runtime.gateway import Started, UpOptions

Up = Callable[[UpOptions, Callable[[Started], None]], int]

BANNER = f"""\

Tocsin is up

  API         http://127.0.0.1:8080
  docs        http://127.0.0.1:8080/docs
  key         {KEY}
  simulators  http://127.0.0.1:8190/
  data        data

The demo keeps its key: in another terminal, --key-file data/demo.key
Ctrl-C stops.

"""


def started(**changes: Any) -> Started:
    facts: dict[str, Any] = {
        "url": "http://127.0.0.1:8080",
        "key": None,
        "key_is_new": False,
        "key_file": None,
        "simulators": {},
        "data_dir": Path("data"),
        **changes,
    }
    return Started(**facts)


@pytest.fixture
def toured(monkeypatch: pytest.MonkeyPatch) -> list[Started]:
    """Return those that the demo's tour was begun for, in place of the tour."""
    begun: list[Started] = []
    monkeypatch.setattr(tour, "begin", lambda what, _: begun.append(what))
    return begun


def starting(monkeypatch: pytest.MonkeyPatch, told: Started, *, code: int = 0) -> list[UpOptions]:
    """Put a gateway in place that starts at once and ends; return the options that it is given."""
    given: list[UpOptions] = []

    def up(options: UpOptions, on_started: Callable[[Started], None]) -> int:
        given.append(options)
        on_started(told)
        return code

    monkeypatch.setattr(gateway, "up", up)
    return given


def test_the_options_reach_the_gateway(run: Run, monkeypatch: pytest.MonkeyPatch, toured: list[Started]) -> None:
    given = starting(monkeypatch, started(), code=7)

    result = run("up", "--config", "my.toml", "--host", "::1", "--port", "0")

    assert result.exit_code == 7
    assert given == [UpOptions(config="my.toml", demo=False, host="::1", port=0)]
    assert toured == []


def test_the_demos_banner(run: Run, monkeypatch: pytest.MonkeyPatch, toured: list[Started]) -> None:
    simulators = {"smtp": "http://127.0.0.1:8190/smtp/"}
    told = started(key=KEY, key_file=Path("data/demo.key"), simulators=simulators)
    starting(monkeypatch, told)

    result = run("up", "--demo")

    assert "".join(line.rstrip() + "\n" for line in result.stdout.splitlines()) == BANNER
    assert toured == [told]


def test_a_new_key_is_shown_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    starting(monkeypatch, started(key=KEY, key_is_new=True))

    result = run("up")

    assert KEY in result.stdout
    assert "shown this once" in result.stdout


def test_later_there_is_no_key_to_show(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    starting(monkeypatch, started())

    result = run("up")

    assert "key  " not in result.stdout
    assert "`tocsin keys create` makes others" in result.stdout


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SettingsError("127.0.0.1:8080 is in use by another program."), 2),
        (LogLocked("the data directory is held by process 42"), 1),
        (TemplateError("welcome/en/email.html, line 3: unexpected end"), 1),
    ],
)
def test_a_start_that_fails_is_told_in_words(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: TocsinError, code: int
) -> None:
    def up(_: UpOptions, __: Callable[[Started], None]) -> int:
        raise error

    monkeypatch.setattr(gateway, "up", up)

    result = run("up")

    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr == f"error: {error}\n"
