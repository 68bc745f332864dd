"""What aiokafka is told. A default of its own that is changed here was seen to lose records or to hang."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tocsin.errors import SettingsError
from tocsin.eventlog.kafka import clients
from tocsin.eventlog.kafka.clients import KafkaClients
from tocsin.settings.sections import Kafka


def settings(**given: Any) -> Kafka:
    return msgspec.convert({"bootstrap_servers": ["127.0.0.1:9092"], **given}, Kafka)


def test_a_consumer_loses_nothing_by_its_settings() -> None:
    told = clients.consuming(settings())

    assert told["auto_offset_reset"] == "earliest"
    assert told["enable_auto_commit"] is False
    assert (told["session_timeout_ms"], told["rebalance_timeout_ms"]) == (45_000, 60_000)
    assert not {"key_deserializer", "value_deserializer"} & told.keys()


def test_a_join_is_not_given_up_before_the_rebalance_is() -> None:
    for seconds in (60.0, 300.0):
        told = clients.consuming(settings(rebalance_seconds=seconds))

        assert told["request_timeout_ms"] > told["rebalance_timeout_ms"]


def test_what_somebody_waits_for_is_brought_at_once_and_the_rest_in_larger_pieces() -> None:
    told = clients.gathering(timedelta(milliseconds=100))

    assert not clients.gathering(timedelta())
    assert (told["fetch_min_bytes"], told["fetch_max_wait_ms"]) == (65_536, 100)


def test_a_producer_is_idempotent_and_waits_for_all_copies() -> None:
    told = clients.producing(settings())

    assert (told["acks"], told["enable_idempotence"]) == ("all", True)
    assert told["max_batch_size"] == 256 * 1024
    assert 2 <= told["linger_ms"] <= 5


async def test_aiokafka_knows_all_that_it_is_told() -> None:
    made = KafkaClients(settings(rack="a"))

    await made.consumer("readers", gather=timedelta(milliseconds=100)).stop()
    await made.observer().stop()
    await made.producer().stop()
    await made.admin().close()


@pytest.mark.parametrize(
    ("given", "protocol"),
    [
        ({}, "PLAINTEXT"),
        ({"tls": True}, "SSL"),
        ({"sasl": "scram-sha-512", "username": "u", "password": "p"}, "SASL_PLAINTEXT"),
        ({"sasl": "plain", "tls": True, "username": "u", "password": "p"}, "SASL_SSL"),
    ],
)
def test_security(given: dict[str, Any], protocol: str) -> None:
    told = clients.common(settings(**given))

    assert told["security_protocol"] == protocol
    assert ("ssl_context" in told) == ("SSL" in protocol.removeprefix("SASL_"))
    assert told.get("sasl_mechanism") == (given["sasl"].upper() if "sasl" in given else None)


def test_a_password_can_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("hunter2\n")
    told = clients.common(settings(sasl="scram-sha-256", username="u", password_file=str(tmp_path / "password")))

    assert told["sasl_plain_password"] == "hunter2"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"bootstrap_servers": []}, "bootstrap_servers"),
        ({"sasl": "scram-sha-256", "username": "u"}, "password"),
        ({"tls": True, "ca_file": "/nowhere"}, "ca_file"),
    ],
)
def test_what_is_missing_is_named(given: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        clients.common(settings(**given))


@pytest.mark.parametrize(
    "given",
    [
        {"sasl": "plain", "username": "u", "password": "p"},
        {"sasl": "scram-sha-256"},
        {"username": "u"},
        {"key_file": "x"},
        {"session_seconds": 6, "heartbeat_seconds": 3},
    ],
)
def test_settings_that_cannot_work_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        settings(**given)
