"""The compose files, as far as they can be judged without an engine: valid, consistent, and about things that exist."""

import json
import re
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest
import typer
from typer.core import TyperGroup

from examples.shop import __main__ as shop
from examples.shop import roster
from examples.shop.kit import topics
from examples.shop.kit.settings import ShopSettings, from_environment
from tests.deploy import composing
from tests.deploy.composing import DEPLOY, FILES
from tocsin.cli.main import build
from tocsin.runtime import discover, roles, simulating
from tocsin.settings import find, load
from tocsin.web.keys import well_formed

ROOT = DEPLOY.parent
BASE = "compose.yaml"
SCHEMA = Path(__file__).parent / "compose-spec" / "compose-spec.json"
OURS = "tocsin:local"
# Settings of ours that are no key of a section.
OTHERS = {"TOCSIN_BOOTSTRAP_KEY", "TOCSIN_CONFIG"}


@cache
def project() -> composing.Tree:
    """Return all files together, with the variables as `.env.example` has them."""
    # What the simulators take the place of comes before them.
    others = sorted((name for name in FILES if name != BASE), key=lambda name: name == "compose.simulators.yaml")
    return composing.load([BASE, *others], composing.example())


def services() -> Mapping[str, Any]:
    """Return every service there is."""
    found: Mapping[str, Any] = project()["services"]
    return found


def ours() -> list[str]:
    """Return those that run a command of ours."""
    return [name for name, service in services().items() if service["image"] == OURS]


def of_shop() -> list[str]:
    """Return those of them that are the shop's: their entry point is another one than the image's."""
    return [name for name in ours() if "entrypoint" in services()[name]]


def of_tocsin() -> list[str]:
    """Return those of them that run `tocsin`."""
    return [name for name in ours() if name not in of_shop()]


@pytest.mark.parametrize("name", [*FILES, composing.COMMON])
def test_a_file_is_what_the_specification_says(name: str) -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))

    assert [
        error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(composing.parsed(name))
    ] == []


def test_a_key_that_is_there_twice_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "two.yaml").write_text("services:\n  api:\n    secrets: [a]\n    secrets: [b]\n")
    monkeypatch.setattr(composing, "DEPLOY", tmp_path)

    with pytest.raises(ValueError, match="secrets is there twice"):
        composing.parsed("two.yaml")


@pytest.mark.parametrize("name", [name for name in FILES if name != BASE])
def test_a_file_needs_no_other_than_the_base_except_simulators_which_need_the_channels(name: str) -> None:
    channels = [each for each in FILES if each.count(".") == 2 and each.split(".")[1] in discover.channels()]
    with_it = [BASE, *(channels if name == "compose.simulators.yaml" else []), name]

    for service in composing.load(with_it, composing.example())["services"].values():
        assert "image" in service


def test_there_is_a_file_for_every_channel() -> None:
    for channel in discover.channels():
        assert services()[channel]["command"] == ["run", "channel", channel], channel
        assert set(composing.parsed(f"compose.{channel}.yaml")["services"]) == {channel}


def test_what_a_file_must_be_told_is_asked_for() -> None:
    with pytest.raises(ValueError, match="TOCSIN__EMAIL__HOST is missing a value: the mail server"):
        composing.load([BASE, "compose.email.yaml"], {})


def test_what_has_no_value_is_taken_from_the_environment_and_else_left_out() -> None:
    given = {**composing.example(), "TOCSIN__EMAIL__USERNAME": "joe"}
    email = composing.load([BASE, "compose.email.yaml"], given)["services"]["email"]["environment"]

    assert email["TOCSIN__EMAIL__USERNAME"] == "joe"
    assert "TOCSIN__EMAIL__PASSWORD_FILE" not in email


def test_the_example_documents_exactly_the_variables_that_are_used() -> None:
    used = {variable for name in [*FILES, composing.COMMON] for variable, _ in composing.used(name)}

    assert set(composing.documented()) == used


def test_the_example_shows_the_defaults() -> None:
    shown = composing.documented()
    for name in [*FILES, composing.COMMON]:
        for variable, default in composing.used(name):
            value, is_set = shown[variable]
            if default is not None and not is_set:
                assert value == default, variable


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


def test_the_shop_has_a_container_for_each_of_its_services_with_a_database_of_its_own() -> None:
    given = {name: services()[name] for name in of_shop()}
    databases = {
        name: from_environment(service["environment"], data=Path()).databases for name, service in given.items()
    }
    of_all = databases.pop("shop-setup")

    assert {name for name in given if given[name]["command"][0] == name} == {each.name for each in roster.SERVICES}
    assert databases == {name: {name: of_all[name]} for name in databases}
    assert len(set(of_all.values())) == len(of_all) == len(roster.SERVICES)


@pytest.mark.parametrize("name", of_shop())
def test_a_command_of_the_shop_is_one_with_what_it_takes(name: str) -> None:
    service = services()[name]
    module, *words = [*service["entrypoint"], *service["command"]][2:]
    told = shop.parsed(words)

    assert service["entrypoint"][:2] == ["python", "-m"]
    assert module == shop.MODULE
    assert told.services == ((shop.SETUP,) if name == "shop-setup" else (name,))
    assert told.host == "0.0.0.0"
    assert {urlsplit(url).hostname: urlsplit(url).port for url in told.places.values()} == (
        dict.fromkeys(topics.SERVICES, told.port) if name == "page" else {}
    )
    assert all(urlsplit(url).hostname == service for service, url in told.places.items())


def test_the_gateway_reads_the_topics_and_the_rules_of_the_shop() -> None:
    names = ",".join(topics.of_services(topics.SERVICES, ShopSettings()))
    api = services()["api"]
    mounted = {volume["target"]: volume["source"] for volume in api["volumes"]}

    assert services()["topics"]["environment"]["TOCSIN__RULES__TOPICS"] == names
    assert api["environment"]["TOCSIN__RULES__TOPICS"] == names
    assert DEPLOY / mounted[api["environment"]["TOCSIN__RULES__ROOT"]] == DEPLOY / "../examples/shop/gateway/rules"
    assert mounted[api["environment"]["TOCSIN__TEMPLATES__ROOT"]] == "../examples/shop/gateway/templates"


def test_the_base_runs_every_service_but_the_channels_on_one_port() -> None:
    apart = {service.name for service in discover.services()} - {roles.CHANNELS}

    assert set(services()["api"]["command"]) == {"run", *apart}


@pytest.mark.parametrize("name", services())
def test_what_is_mounted_is_there(name: str) -> None:
    declared = project()
    for volume in services()[name].get("volumes", []):
        if isinstance(volume, Mapping):
            assert (DEPLOY / volume["source"]).exists(), volume
            assert volume["read_only"], volume
            assert volume["bind"] == {"create_host_path": False}
        else:
            assert volume.split(":")[0] in declared["volumes"]
    for secret in services()[name].get("secrets", []):
        assert secret in declared["secrets"]
    for network in services()[name].get("networks", {}):
        assert network in declared["networks"]


@pytest.mark.parametrize("name", services())
def test_every_path_of_the_environment_is_mounted(name: str) -> None:
    service = services()[name]
    mounted = {f"/run/secrets/{secret}" for secret in service.get("secrets", [])}
    mounted |= {
        each["target"] if isinstance(each, Mapping) else each.split(":")[1] for each in service.get("volumes", [])
    }
    named = {
        path
        for value in service["environment"].values()
        for path in re.findall(r"(?:^|=)(/(?:run|etc|var)/\S+)", value)
    }

    assert [path for path in named if not any(path == each or path.startswith(each + "/") for each in mounted)] == []


@pytest.mark.parametrize("name", FILES)
def test_what_a_file_offers_to_set_can_be_read_where_it_is_set(name: str) -> None:
    """What `common.yaml` tells everybody is read by some only; what a service is told by itself, it reads."""
    shown = {variable: value for variable, (value, _) in composing.documented().items()}
    for service, own in composing.parsed(name)["services"].items():
        offered = {variable for variable, value in own.get("environment", {}).items() if value is None}
        mounted = {f"/run/secrets/{secret}" for secret in own.get("secrets", [])}

        assert {shown[each] for each in offered if each.endswith("_FILE")} <= mounted, service


def test_only_kafka_and_postgresql_keep_anything() -> None:
    assert set(project()["volumes"]) == {"kafka", "postgres"}


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


def test_channels_and_services_of_the_shop_can_be_scaled() -> None:
    for name in (*discover.channels(), *topics.SERVICES):
        assert {"ports", "container_name", "hostname"} & services()[name].keys() == set()


@pytest.mark.parametrize("name", services())
def test_a_container_can_do_little_and_take_little(name: str) -> None:
    service = services()[name]

    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert {"mem_limit", "cpus", "pids_limit", "logging", "restart", "healthcheck"} <= service.keys()
    assert "privileged" not in service
    # Kafka writes its configuration into its own folders; nobody else may write.
    assert service.get("read_only") or name == "kafka"


@pytest.mark.parametrize("name", ours())
def test_a_container_of_ours_runs_as_nobody_and_is_given_time_to_drain(name: str) -> None:
    service = services()[name]

    assert service["user"] == "1000:1000"
    if service["command"][0] == "run" or (name in of_shop() and not service["healthcheck"].get("disable")):
        assert int(service["stop_grace_period"].removesuffix("s")) > 28 + 2


@pytest.mark.parametrize("name", services())
def test_a_service_waits_for_what_it_needs(name: str) -> None:
    for other, how in services()[name].get("depends_on", {}).items():
        awaited = services()[other]
        ends = bool(awaited["healthcheck"].get("disable"))

        assert how["condition"] == ("service_completed_successfully" if ends else "service_healthy")
        assert (awaited["restart"] == "on-failure:5") == ends


@pytest.mark.parametrize("name", services())
def test_an_image_is_pinned(name: str) -> None:
    image = services()[name]["image"]

    assert image == OURS or re.search(r":v?\d+\.\d+(\.\d+)?(-\w+)?$", image)


def test_only_the_way_in_and_out_is_not_internal() -> None:
    assert project()["networks"]["backend"]["internal"]
    for name in ("kafka", "postgres", "topics", "migrate"):
        assert set(services()[name]["networks"]) == {"backend"}


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


def test_secrets_are_made_once_for_their_owner_only(tmp_path: Path) -> None:
    script = tmp_path / "create.sh"
    script.write_bytes((DEPLOY / "secrets" / "create.sh").read_bytes())
    subprocess.run(["sh", str(script)], check=True)
    made = {path.name: path.read_text() for path in tmp_path.iterdir() if path != script}
    (tmp_path / "bootstrap-key").unlink()
    subprocess.run(["sh", str(script)], check=True)
    again = {path.name: path.read_text() for path in tmp_path.iterdir() if path != script}

    wanted = {Path(secret["file"]).name for secret in project()["secrets"].values()}
    assert set(made) == set(again) == wanted
    assert {(tmp_path / name).stat().st_mode & 0o777 for name in made} == {0o600}
    assert well_formed(made["bootstrap-key"].strip())
    assert made["pgpass"] == f"*:*:*:tocsin:{made['postgres-password']}"
    assert made["smtp-password"] == ""
    assert {name for name in made if made[name] != again[name]} == {"bootstrap-key"}


def test_no_secret_is_in_the_repository() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "."], cwd=DEPLOY / "secrets", capture_output=True, text=True, check=True
    )

    assert set(listed.stdout.split()) <= {".gitignore", "create.sh"}


def test_the_commands_of_the_readme_name_files_that_are_there() -> None:
    readme = composing.text("README.md")
    named = set(re.findall(r"-f (\S+)", readme)) | set(
        re.findall(r"`((?:compose|common|secrets/create)[\w.]*\.\w+)`", readme)
    )

    assert {name for name in named if not (DEPLOY / name).exists()} == set()
    assert set(FILES) <= named


@pytest.mark.parametrize("name", ["README.md", *FILES])
def test_the_files_that_a_command_names_are_enough_for_each_other(name: str) -> None:
    commands = [
        found
        for line in composing.text(name).splitlines()
        if "docker compose" in line and (found := re.findall(r"-f (\S+)", line))
    ]

    assert commands
    for files in commands:
        for service, told in composing.load(files, composing.example())["services"].items():
            assert "image" in told, f"{service} of {files}"
