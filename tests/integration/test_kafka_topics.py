"""`tocsin topics` against a real broker: what it makes, what it finds, and what it refuses to do."""

import asyncio
import json
import os
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
from typer.testing import CliRunner, Result

from tests.support.kafka_logs import kafka_settings
from tocsin.cli.main import build
from tocsin.cli.world import World
from tocsin.eventlog.kafka.clients import KafkaClients
from tocsin.eventlog.kafka.driver import ConfigResource, ConfigResourceType, NewPartitions

pytestmark = pytest.mark.xdist_group("kafka")

T = TypeVar("T")
Tocsin = Callable[..., Result]
Ask = Callable[[Callable[[Any], Coroutine[Any, Any, Any]]], Any]

SMALL = """\
min_insync_replicas = 1
max_message_bytes = 1_179_648
[kinds]
delivery = {partitions = 2, retention_hours = 168}
retry = {partitions = 1, retention_hours = 168}
dlq = {partitions = 1, retention_hours = 336}
audit = {partitions = 2, retention_hours = 336}
"""


@pytest.fixture
def topics_file(tmp_path: Path) -> Path:
    path = tmp_path / "topics.toml"
    path.write_text(SMALL)
    return path


@pytest.fixture
def tocsin(kafka_bootstrap: str, topics_file: Path, monkeypatch: pytest.MonkeyPatch) -> Tocsin:
    """Return the command line, its cluster and its list of topics set."""
    if os.environ.get("TOCSIN_KAFKA_BOOTSTRAP"):
        pytest.skip("topics have their real names here, so only a broker of our own is changed")
    monkeypatch.chdir(topics_file.parent)

    def run(*arguments: str, person: bool = False, answer: str = "", **environment: str) -> Result:
        environ = {
            "TOCSIN__KAFKA__BOOTSTRAP_SERVERS": kafka_bootstrap,
            "TOCSIN__KAFKA__TOPICS_FILE": str(topics_file),
            "TOCSIN__KAFKA__REPLICATION": "1",
            **environment,
        }
        world = World(environ=environ, can_ask=lambda: person)
        result = CliRunner().invoke(build(), ["topics", *arguments], obj=world, input=answer, env={"COLUMNS": "200"})
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def ask(kafka_bootstrap: str) -> Ask:
    """Return a function that runs another with an admin client."""

    async def asked(question: Callable[[Any], Coroutine[Any, Any, T]]) -> T:
        admin = KafkaClients(kafka_settings(kafka_bootstrap)).admin()
        await admin.start()
        try:
            return await question(admin)
        finally:
            await admin.close()

    return lambda question: asyncio.run(asked(question))


@pytest.fixture
def applied(tocsin: Tocsin, ask: Ask) -> list[str]:
    """Return the topics, made as the list says."""
    names = [row["name"] for row in json.loads(tocsin("describe", "--json").stdout)["topics"]]
    _clear(ask, names)
    result = tocsin("apply", "--yes")
    assert result.exit_code == 0, result.output
    assert "create" in result.stdout
    return names


def test_apply_makes_every_topic_and_then_there_is_nothing_to_do(tocsin: Tocsin, applied: list[str]) -> None:
    assert "notifications.email.bulk.retry.1h" in applied
    checked, again = tocsin("check", "--json"), tocsin("apply", "--yes", "--json")

    assert checked.exit_code == again.exit_code == 0
    steps = json.loads(checked.stdout)["steps"]
    assert {step["action"] for step in steps} == {"warn"}
    assert "acknowledged can be lost" in steps[0]["why"]


def test_describe_tells_what_is_there(tocsin: Tocsin, applied: list[str]) -> None:
    rows = {row["name"]: row for row in json.loads(tocsin("describe", "--json").stdout)["topics"]}
    shown = tocsin("describe").stdout

    assert rows.keys() == set(applied)
    assert rows["notifications.email"] == {
        "name": "notifications.email",
        "kind": "delivery",
        "found": True,
        "partitions": 2,
        "replication": 1,
        "min_insync_replicas": 1,
        "retention_ms": 168 * 3_600_000,
    }
    assert "notifications.audit" in shown
    assert "336 h" in shown
    assert "missing" not in shown


def test_what_differs_is_found_and_mended(tocsin: Tocsin, applied: list[str], topics_file: Path, ask: Ask) -> None:
    topics_file.write_text(
        SMALL.replace("{partitions = 2, retention_hours = 168}", "{partitions = 3, retention_hours = 200}")
    )
    [name, *_] = applied
    # A setting of the operator's own, which Kafka would drop with the first change of another.
    own = ConfigResource(ConfigResourceType.TOPIC, name, configs={**_configs(ask, name), "segment.ms": "1234567"})
    ask(lambda admin: admin.alter_configs([own]))
    _wait(lambda: _configs(ask, name).get("segment.ms") == "1234567")

    checked = tocsin("check")
    assert checked.exit_code == 1
    assert "has 2 partitions instead of 3" in checked.stdout
    assert "retention.ms is 604800000 instead of 720000000" in checked.stdout
    done = tocsin("apply", person=True, answer="y\n")
    assert done.exit_code == 0
    assert "Done." in done.stdout
    assert tocsin("check").exit_code == 0
    assert _configs(ask, name)["retention.ms"] == "720000000"
    assert _configs(ask, name)["segment.ms"] == "1234567"


def test_nothing_that_loses_records_is_done(tocsin: Tocsin, applied: list[str], topics_file: Path, ask: Ask) -> None:
    shorter = SMALL.replace("{partitions = 2, retention_hours = 168}", "{partitions = 2, retention_hours = 24}")
    topics_file.write_text(shorter)
    [name, *_] = applied

    refused = tocsin("apply", "--yes")
    assert refused.exit_code == 1
    assert "REFUSED" in refused.stdout
    assert "--allow-shorter-retention" in refused.stdout
    assert _configs(ask, name)["retention.ms"] == "604800000"
    assert tocsin("apply", "--yes", "--allow-shorter-retention").exit_code == 0
    assert _configs(ask, name)["retention.ms"] == "86400000"

    ask(lambda admin: admin.create_partitions({name: NewPartitions(5)}))
    _wait(lambda: "Kafka cannot take any away" in tocsin("check").stdout)
    more = tocsin("apply", "--yes")
    assert more.exit_code == 1
    assert "Kafka cannot take any away" in more.stdout


def test_nobody_is_surprised(tocsin: Tocsin, applied: list[str], topics_file: Path, ask: Ask) -> None:
    topics_file.write_text(SMALL.replace("max_message_bytes = 1_179_648", "max_message_bytes = 2_000_000"))
    [name, *_] = applied

    declined = tocsin("apply", person=True, answer="n\n")
    alone = tocsin("apply")
    assert (declined.exit_code, alone.exit_code) == (1, 2)
    assert "Nothing was changed" in declined.stderr
    assert "--yes" in alone.stderr
    assert _configs(ask, name)["max.message.bytes"] == "1179648"


def test_what_a_cluster_is_too_small_for_is_told_once(tocsin: Tocsin, ask: Ask) -> None:
    names = [row["name"] for row in json.loads(tocsin("describe", "--json").stdout)["topics"]]
    _clear(ask, names)
    result = tocsin("apply", "--yes", TOCSIN__KAFKA__REPLICATION="3")

    assert result.exit_code == 1
    assert result.stderr.count("replication factor") == 1
    assert "TOCSIN__KAFKA__REPLICATION=1" in result.stderr


def test_without_a_cluster_it_says_what_to_set(tocsin: Tocsin) -> None:
    unset = tocsin("check", TOCSIN__KAFKA__BOOTSTRAP_SERVERS="")
    away = tocsin("check", TOCSIN__KAFKA__BOOTSTRAP_SERVERS="127.0.0.1:1")

    assert unset.exit_code == 2
    assert "TOCSIN__KAFKA__BOOTSTRAP_SERVERS" in unset.stderr
    assert away.exit_code == 1
    assert "127.0.0.1:1 is where nothing listens" in away.stderr


@pytest.mark.parametrize("command", ["apply", "check", "describe"])
def test_help_has_an_example(tocsin: Tocsin, command: str) -> None:
    assert f"tocsin topics {command}" in tocsin(command, "--help").stdout


def _wait(condition: Callable[[], bool]) -> None:
    """Return once a broker shows what another was told."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline


def _clear(ask: Ask, names: list[str]) -> None:
    """Delete topics."""
    there = set(ask(lambda admin: admin.list_topics())) & set(names)
    if there:
        ask(lambda admin: admin.delete_topics(sorted(there)))
        _wait(lambda: not set(ask(lambda admin: admin.list_topics())) & set(names))


def _configs(ask: Ask, name: str) -> dict[str, str]:
    """Return the settings that are a topic's own."""

    async def own(admin: Any) -> list[Any]:
        found: list[Any] = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
        return found

    [answer] = ask(own)
    [(_, _, _, _, entries)] = answer.resources
    return {key: value for key, value, _, source, *_ in entries if source == 1}
