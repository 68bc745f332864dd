"""The services of the compose files: they are run, set and reached by what there is."""

import re

import pytest
import typer
from typer.core import TyperGroup

from examples.shop import __main__ as shop
from tests.deploy import composing
from tests.deploy.composing import DEPLOY
from tests.deploy.project import of_shop, of_tocsin, ours, services
from tocsin.cli.main import build
from tocsin.runtime import discover, roles, simulating
from tocsin.settings import find, load

# Settings of ours that are no key of a section.
OTHERS = {"TOCSIN_BOOTSTRAP_KEY", "TOCSIN_CONFIG"}


@pytest.mark.parametrize("name", of_tocsin())
def test_a_command_is_one_of_ours_with_what_it_takes(name: str) -> None:
    words = [str(word) for word in services()[name]["command"]]
    command, rest = typer.main.get_command(build()), words
    context = command.make_context("tocsin", rest[:1], resilient_parsing=True)
    while isinstance(command, TyperGroup):
        found, command_below, rest = command.resolve_command(context, rest)
        assert command_below is not None
        command = command_below
        context = command.make_context(found, list(rest), parent=context)

    if words[0] == "run":
        installed = [service.name for service in discover.services()]
        assert roles.parse(words[1:], services=installed, channels=discover.channels()).services


@pytest.mark.parametrize("name", ours())
def test_a_service_is_given_settings_that_are_settings(name: str) -> None:
    given = services()[name]["environment"]
    # Raises SettingsError for a name that is none, and for a value that it cannot have.
    load.load(discover.setting_sections(), path=find.find(None, {}), environ=given)

    others = {key.removesuffix("_FILE") for key in given if key.startswith("TOCSIN") and "__" not in key}
    assert others <= OTHERS


def test_the_base_runs_every_service_but_the_channels_on_one_port() -> None:
    apart = {service.name for service in discover.services()} - {roles.CHANNELS}

    assert set(services()["api"]["command"]) == {"run", *apart}


def test_no_two_ports_clash_and_none_is_open_to_others() -> None:
    published = [composing.port_of(port) for service in services().values() for port in service.get("ports", [])]
    ports = [host for _, host, _ in published]

    assert len(set(ports)) == len(ports)
    assert {address for address, _, _ in published} == {"127.0.0.1"}
    assert {8080, 8085, 8190} <= set(ports)


@pytest.mark.parametrize("name", ours())
def test_what_is_published_and_checked_is_what_is_listened_on(name: str) -> None:
    service = services()[name]
    words = [str(word) for word in service["command"]]
    environment = service["environment"]
    if name in of_shop():
        port: str | None = str(shop.parsed(words).port)
    else:
        port = words[words.index("--port") + 1] if "--port" in words else environment.get("TOCSIN__HTTP__PORT")
    checked = re.findall(r"HTTPConnection\('127\.0\.0\.1', (\d+)", " ".join(service["healthcheck"].get("test", [])))

    assert all(str(composing.port_of(each)[2]) == port for each in service.get("ports", []))
    assert checked == ([] if service["healthcheck"].get("disable") else [port])


@pytest.mark.parametrize("name", services())
def test_a_service_waits_for_what_it_needs(name: str) -> None:
    for other, how in services()[name].get("depends_on", {}).items():
        awaited = services()[other]
        ends = bool(awaited["healthcheck"].get("disable"))

        assert how["condition"] == ("service_completed_successfully" if ends else "service_healthy")
        assert (awaited["restart"] == "on-failure:5") == ends


def test_the_brokers_version_is_the_one_that_the_tests_run_on() -> None:
    pom = (DEPLOY / "kafka" / "pom.xml").read_text(encoding="utf-8")

    assert services()["kafka"]["image"] == "apache/kafka:" + re.findall(r"<version>(\d[\d.]+)</version>", pom)[0]


def test_there_are_as_many_copies_as_brokers() -> None:
    for name in ("topics", "api", "email"):
        environment = services()[name]["environment"]

        assert environment["TOCSIN__KAFKA__REPLICATION"] == "1"
        assert "TOCSIN__KAFKA__TOPICS_FILE" not in environment


def within(value: object) -> str:
    """Return a setting of a demo as the containers have it: each host is its own there."""
    text = ",".join(value) if isinstance(value, list) else str(value)
    return text.replace("127.0.0.1:8080", "api:8080").replace("127.0.0.1", "simulators")


def test_the_simulators_are_where_the_channels_look_for_them() -> None:
    assert str(simulating.PORT) in services()["simulators"]["command"]
    owners = {section: name for name, each in discover.channels().items() for section in each.settings}
    for simulator in discover.simulators():
        for section, values in simulator.overrides.items():
            # What is no channel's holds for the API.
            channel = owners.get(section, "api")
            if channel == "push":  # its simulators make their keys anew at each start; docs/channels/push.md says how
                continue
            for key, value in values.items():
                # Mails come back, and are told of over SNS, in the demo only: the simulators know no other host.
                if value is None or section == "bounces" or key in {"sns_topic", "sns_url"}:
                    continue
                told = services()[channel]["environment"][f"TOCSIN__{section}__{key}".upper()]
                assert told == within(value)
