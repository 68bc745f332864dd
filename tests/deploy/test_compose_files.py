"""The compose files one by one: each is valid, needs little else, and what it asks for is documented."""

import json
import re
from pathlib import Path

import jsonschema
import pytest

from tests.deploy import composing
from tests.deploy.composing import DEPLOY, FILES
from tests.deploy.project import BASE, services
from tocsin.runtime import discover

SCHEMA = Path(__file__).parent / "compose-spec" / "compose-spec.json"


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


@pytest.mark.parametrize("name", FILES)
def test_what_a_file_offers_to_set_can_be_read_where_it_is_set(name: str) -> None:
    """What `common.yaml` tells everybody is read by some only; what a service is told by itself, it reads."""
    shown = {variable: value for variable, (value, _) in composing.documented().items()}
    for service, own in composing.parsed(name)["services"].items():
        offered = {variable for variable, value in own.get("environment", {}).items() if value is None}
        mounted = {f"/run/secrets/{secret}" for secret in own.get("secrets", [])}

        assert {shown[each] for each in offered if each.endswith("_FILE")} <= mounted, service


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
