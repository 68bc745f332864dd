"""The image, as far as its recipe can be read: what goes into it, and how it runs."""

import json
import re
import tomllib

from tests.deploy.composing import DEPLOY, text

ROOT = DEPLOY.parent
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def instructions() -> list[tuple[str, str]]:
    """Return the recipe's instructions, continued lines joined."""
    joined = re.sub(r"\\\n\s*", "", "\n".join(line for line in text("Dockerfile").splitlines() if line[:1] != "#"))
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


def last_stage() -> dict[str, str]:
    """Return the last of each instruction in the stage that is kept."""
    found = instructions()
    start = max(number for number, (word, _) in enumerate(found) if word == "FROM")
    return dict(found[start:])


def test_everything_that_is_installed_is_locked() -> None:
    installs = [
        part for word, rest in instructions() if word == "RUN" for part in rest.split("&&") if "pip install" in part
    ]

    assert len(installs) == 3
    for each in installs:
        assert "--require-hashes -r " in each or "--no-deps --no-index /wheels/" in each
    assert "://" not in text("build.lock")


def test_what_builds_the_wheel_is_in_the_lock() -> None:
    for requirement in SETTINGS["build-system"]["requires"]:
        assert re.search(rf"^{re.match(r'[a-z]+', requirement)[0]}==", text("build.lock"), re.MULTILINE)  # type: ignore[index]


def test_the_image_is_given_what_it_is_built_from_and_no_more() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_in = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    packages = set(SETTINGS["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])

    assert "*" in ignored
    assert let_in == {"pyproject.toml", "README.md", "requirements.lock", "deploy/build.lock", *packages}


def test_the_image_runs_as_nobody_and_builds_nothing() -> None:
    last = last_stage()

    assert last["USER"] == "10001:10001"
    assert last["ENTRYPOINT"] == '["tocsin"]'
    assert last["STOPSIGNAL"] == "SIGTERM"
    assert "pip uninstall --yes" in last["RUN"]
    assert "apt-get" not in text("Dockerfile")


def test_the_image_checks_that_it_is_alive() -> None:
    options, _, command = last_stage()["HEALTHCHECK"].partition("CMD ")
    checked = json.loads(command)

    assert "--start-period" in options
    assert checked[:2] == ["python", "-c"]
    assert "8080" in checked[2]
    assert "/healthz" in checked[2]
