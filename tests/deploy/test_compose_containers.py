"""The containers of the compose files: what they are given, what they may do, and who learns a secret."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.deploy.composing import DEPLOY
from tests.deploy.project import OURS, declared, of_shop, ours, services
from tocsin.web.keys import well_formed


@pytest.mark.parametrize("name", services())
def test_what_is_mounted_is_there(name: str) -> None:
    all_files = declared()
    for volume in services()[name].get("volumes", []):
        if isinstance(volume, Mapping):
            assert (DEPLOY / volume["source"]).exists(), volume
            assert volume["read_only"], volume
            assert volume["bind"] == {"create_host_path": False}
        else:
            assert volume.split(":")[0] in all_files["volumes"]
    for secret in services()[name].get("secrets", []):
        assert secret in all_files["secrets"]
    for network in services()[name].get("networks", {}):
        assert network in all_files["networks"]


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


def test_only_kafka_and_postgresql_keep_anything() -> None:
    assert set(declared()["volumes"]) == {"kafka", "postgres"}


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
def test_an_image_is_pinned(name: str) -> None:
    image = services()[name]["image"]

    assert image == OURS or re.search(r":v?\d+\.\d+(\.\d+)?(-\w+)?$", image)


def test_only_the_way_in_and_out_is_not_internal() -> None:
    assert declared()["networks"]["backend"]["internal"]
    for name in ("kafka", "postgres", "topics", "migrate"):
        assert set(services()[name]["networks"]) == {"backend"}


def test_secrets_are_made_once_for_their_owner_only(tmp_path: Path) -> None:
    script = tmp_path / "create.sh"
    script.write_bytes((DEPLOY / "secrets" / "create.sh").read_bytes())
    subprocess.run(["sh", str(script)], check=True)
    made = {path.name: path.read_text() for path in tmp_path.iterdir() if path != script}
    (tmp_path / "bootstrap-key").unlink()
    subprocess.run(["sh", str(script)], check=True)
    again = {path.name: path.read_text() for path in tmp_path.iterdir() if path != script}

    wanted = {Path(secret["file"]).name for secret in declared()["secrets"].values()}
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
