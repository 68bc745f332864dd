"""The command line, run in this process against a gateway that the test prepares."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.unit.cli.support import KEY, FakeGateway, Time, world
from tocsin.cli.main import build

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the folder and the environment that the tests are run in out of them."""
    monkeypatch.chdir(tmp_path)
    for name in ("TOCSIN_KEY", "TOCSIN_URL", "TOCSIN_CONFIG", "FORCE_COLOR", "NO_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def gateway() -> FakeGateway:
    return FakeGateway()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def run(gateway: FakeGateway, time: Time) -> Run:
    def invoke(
        *args: str,
        environ: dict[str, str] | None = None,
        stdin: str | bytes | None = None,
        person: bool = False,
        columns: int = 100,
        terminal: bool = False,
    ) -> Result:
        given = {"TOCSIN_KEY": KEY} if environ is None else environ
        shown = {"COLUMNS": str(columns), "FORCE_COLOR": "1" if terminal else None}
        here = world(gateway, time, given, lambda: person)
        result = CliRunner().invoke(build(), list(args), obj=here, input=stdin, env=shown)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke
