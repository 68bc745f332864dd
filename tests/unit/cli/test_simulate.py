"""`tocsin simulate`: what it hands to the simulators, what it tells, and what they answer."""

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import aiosmtplib
import httpx
import pytest

from simulators.apns import simulator as apns
from simulators.smtp import simulator as smtp
from tests.support.clock import ManualClock
from tests.unit.cli.conftest import Run
from tocsin.errors import SettingsError
from tocsin.runtime import discover, simulating

PAGES = {"smtp": "http://127.0.0.1:8190/smtp/"}
# Those whose protocol is not HTTP/1.1, or not the control's: each has a port of its own.
WITH_A_PORT = [smtp, apns]


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Put simulators in place that start at once and end; return what they are given."""
    calls: list[Any] = []

    def simulate(names: list[str], *, host: str, port: int, on_started: Callable[[Mapping[str, str]], None]) -> None:
        calls.append((names, host, port))
        on_started(PAGES)

    monkeypatch.setattr(simulating, "simulate", simulate)
    return calls


@pytest.fixture
def take_free_ports(monkeypatch: pytest.MonkeyPatch, unused_tcp_port_factory: Callable[[], int]) -> Callable[..., None]:
    """Return what gives each simulator that has a port of its own a free one, except those it is told to leave."""

    def take(*, leave: tuple[ModuleType, ...] = ()) -> None:
        for simulator in WITH_A_PORT:
            if simulator not in leave:
                monkeypatch.setattr(simulator, "PORT", unused_tcp_port_factory())

    return take


def test_all_of_them_run_on_loopback(run: Run, given: list[Any]) -> None:
    result = run("simulate")

    assert result.exit_code == 0
    assert given == [([], "127.0.0.1", 8190)]
    assert result.stdout.split() == ["simulator", "smtp", PAGES["smtp"]]


def test_the_options_reach_them(run: Run, given: list[Any]) -> None:
    run("simulate", "smtp", "--host", "0.0.0.0", "--port", "0")

    assert given == [(["smtp"], "0.0.0.0", 0)]


def test_one_that_is_not_installed_is_named_beside_those_that_are(run: Run) -> None:
    result = run("simulate", "smtp", "pigeon")
    installed = sorted(simulator.name for simulator in discover.simulators())

    assert result.exit_code == 2
    assert {"apns", "smtp", "webpush"} < set(installed)
    assert result.stderr == f"error: there is no simulator pigeon; simulators: {', '.join(installed)}\n"


async def test_they_serve_their_protocol_and_their_control_on_the_host_that_is_named(
    take_free_ports: Callable[..., None],
) -> None:
    take_free_ports()
    async with simulating.simulating(discover.simulators(), clock=ManualClock(), host="::1", port=0) as pages:
        async with aiosmtplib.SMTP(hostname="::1", port=smtp.PORT) as client:
            await client.sendmail("shop@example.org", ["anna@example.org"], b"Subject: Hi\r\n\r\n")
        async with httpx.AsyncClient() as http:
            counts = await http.get(pages["smtp"] + "counts")
            health = await http.get(httpx.URL(pages["smtp"]).join("/healthz"))
            shown = {name: (await http.get(page)).status_code for name, page in pages.items()}

    assert pages["smtp"].startswith("http://[::1]:")
    assert counts.json()["by_recipient"] == {"anna@example.org": 1}
    assert health.json() == {"status": "ok"}
    assert shown == dict.fromkeys((simulator.name for simulator in discover.simulators()), 200)


@pytest.mark.parametrize("taken", WITH_A_PORT, ids=lambda simulator: simulator.simulator.name)
async def test_a_port_that_is_taken_is_told(take_free_ports: Callable[..., None], taken: ModuleType) -> None:
    take_free_ports()
    simulators = discover.simulators()
    async with simulating.simulating(simulators, clock=ManualClock(), port=0):
        take_free_ports(leave=(taken,))
        with pytest.raises(SettingsError, match=f"127.0.0.1:{taken.PORT}"):
            async with simulating.simulating(simulators, clock=ManualClock(), port=0):
                pass


async def test_a_control_port_that_is_taken_names_no_setting(
    take_free_ports: Callable[..., None], unused_tcp_port: int
) -> None:
    simulators, control = discover.simulators(), unused_tcp_port
    take_free_ports()
    async with simulating.simulating(simulators, clock=ManualClock(), port=control):
        take_free_ports()
        with pytest.raises(SettingsError, match=f"127.0.0.1:{control} is in use .* choose another port$"):
            async with simulating.simulating(simulators, clock=ManualClock(), port=control):
                pass
