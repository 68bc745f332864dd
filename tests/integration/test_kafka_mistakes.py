"""What an operator gets wrong about a Kafka cluster, and whether the answer says what to set."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from simulators.smtp import builtin
from simulators.smtp.faults import Faults
from simulators.smtp.mailbox import Mailbox
from simulators.smtp.server import listening
from tests.support import kafka_guarded, kafka_jars
from tests.support.gateways import NOTIFICATION
from tests.support.kafka_guarded import (
    ALTER,
    ALTER_CONFIGS,
    CREATE,
    DESCRIBE,
    DESCRIBE_CONFIGS,
    GROUP,
    OPERATOR,
    PASSWORD,
    READ,
    SERVICE,
    STRANGER,
    TOPIC,
    USER,
    WRITE,
    Guarded,
)
from tests.support.postgres import database, databases, empty_database
from tests.support.processes import Ran, run, serving
from tests.support.waiting import until
from tocsin.runtime.clock import SystemClock

pytestmark = [pytest.mark.xdist_group("kafka"), pytest.mark.timeout(180)]
__all__ = ["database", "databases", "empty_database"]

Tocsin = Callable[..., Coroutine[Any, Any, Ran]]

TLS = {"TLS": "true"}
SCRAM = {"SASL": "scram-sha-512", "USERNAME": USER, "PASSWORD": PASSWORD}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """Return a broker that does not let everybody in."""
    if reason := kafka_jars.missing():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    with kafka_guarded.running(tmp_path_factory.mktemp("guarded")) as found:
        yield found


@pytest.fixture
def tocsin(tmp_path: Path) -> Tocsin:
    """Return what runs a command to its end, with keys of the section `[kafka]`."""

    async def ran(*arguments: str, database: str = "", **kafka: str) -> Ran:
        named = {f"TOCSIN__KAFKA__{key}": value for key, value in {"REPLICATION": "1", **kafka}.items()}
        found = await run(*arguments, directory=tmp_path, TOCSIN__STORE__URL=database, **named)
        assert PASSWORD not in found.out + found.err
        return found

    return ran


@pytest.mark.parametrize(
    ("door", "given"), [("tls", TLS), ("sasl", SCRAM), ("both", {**TLS, **SCRAM})], ids=["tls", "sasl", "both"]
)
async def test_who_knocks_as_asked_is_let_in(
    tocsin: Tocsin, guarded: Guarded, door: str, given: dict[str, str]
) -> None:
    ran = await tocsin(
        "topics",
        "describe",
        BOOTSTRAP_SERVERS=getattr(guarded, door),
        **given,
        **({"CA_FILE": str(guarded.ca_file)} if "TLS" in given else {}),
    )
    assert (ran.code, ran.err) == (0, "")


@pytest.mark.parametrize(
    ("door", "given", "words"),
    [
        ("open", TLS, ("does not speak TLS", "kafka.tls = false")),
        ("tls", {}, ("speaks TLS, and we do not", "kafka.tls = true")),
        ("both", SCRAM, ("speaks TLS, and we do not", "kafka.tls = true")),
        ("tls", TLS, ("is not trusted", "kafka.ca_file")),
        ("sasl", {**SCRAM, "PASSWORD": "wrong"}, ("with this password", "kafka.username")),
        ("sasl", {**SCRAM, "USERNAME": "nobody"}, ("with this password", "kafka.username")),
        ("sasl", {**SCRAM, "SASL": "scram-sha-256"}, ("SCRAM-SHA-256", "kafka.sasl")),
        ("sasl", {}, ("may ask for a user", "kafka.sasl")),
        ("open", SCRAM, ("asks for no user", 'kafka.sasl = "none"')),
    ],
    ids=[
        *("tls-here-only", "tls-there-only", "tls-there-only-with-a-user", "unknown-authority", "wrong-password"),
        *("unknown-user", "other-mechanism", "user-there-only", "user-here-only"),
    ],
)
async def test_a_door_that_stays_shut_says_why(
    tocsin: Tocsin, guarded: Guarded, door: str, given: dict[str, str], words: tuple[str, str]
) -> None:
    address = getattr(guarded, door)
    ran = await tocsin("topics", "check", BOOTSTRAP_SERVERS=address, **given)

    assert ran.code == 1
    told = ran.err.splitlines()[-1]
    assert address in told
    assert [each for each in words if each not in told] == []


@pytest.mark.parametrize(
    ("servers", "words"),
    [
        ("127.0.0.1:1", "127.0.0.1:1 is where nothing listens"),
        ("kafka.invalid:9092", "kafka.invalid:9092 is a name that is not known"),
    ],
)
async def test_a_wrong_address_is_named(tocsin: Tocsin, servers: str, words: str) -> None:
    ran = await tocsin("topics", "check", BOOTSTRAP_SERVERS=servers)

    assert ran.code == 1
    assert words in ran.err
    assert "kafka.bootstrap_servers" in ran.err


async def test_what_is_no_address_is_named(tocsin: Tocsin) -> None:
    ran = await tocsin("topics", "check", BOOTSTRAP_SERVERS="kafka:nine")

    assert ran.code == 2
    assert "kafka.bootstrap_servers: 'kafka:nine' is not host:port" in ran.err


async def test_somebody_elses_port_is_named(tocsin: Tocsin) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        ran = await tocsin("topics", "check", BOOTSTRAP_SERVERS=f"127.0.0.1:{port}", LOOKUP_TIMEOUT_SECONDS="2")

    assert ran.code == 1
    assert f"127.0.0.1:{port}" in ran.err.splitlines()[-1]
    assert "broker" in ran.err.splitlines()[-1]


async def test_topics_that_we_may_not_make_are_told_as_such(tocsin: Tocsin, guarded: Guarded) -> None:
    ran = await tocsin("topics", "apply", "--yes", BOOTSTRAP_SERVERS=guarded.sasl, **{**SCRAM, "USERNAME": STRANGER})

    assert ran.code == 1
    assert "does not allow that to us (kafka.username)" in ran.err
    assert "docs/cluster.md" in ran.err
    assert "REPLICATION" not in ran.err


async def test_what_the_documentation_asks_for_is_enough_and_without_it_a_service_says_so(
    tocsin: Tocsin, guarded: Guarded, database: str, tmp_path: Path
) -> None:
    await guarded.allow(OPERATOR, TOPIC, "notifications.", CREATE, ALTER, ALTER_CONFIGS, DESCRIBE, DESCRIBE_CONFIGS)
    await guarded.allow(SERVICE, TOPIC, "notifications.", READ, WRITE, DESCRIBE_CONFIGS)
    reached = {"BOOTSTRAP_SERVERS": guarded.sasl, "REPLICATION": "1", **SCRAM, "USERNAME": SERVICE}
    made = await tocsin("topics", "apply", "--yes", **{**reached, "USERNAME": OPERATOR})
    refused = await tocsin("up", "--port", "0", database=database, **reached)
    await guarded.allow(SERVICE, GROUP, "tocsin.", READ)
    environment = {f"TOCSIN__KAFKA__{key}": value for key, value in reached.items()}
    clock = SystemClock()
    mailbox = Mailbox(now=clock.now)
    async with (
        listening(mailbox=mailbox, faults=Faults(builtin.faults()), clock=clock) as port,
        serving(tmp_path, smtp_port=port, TOCSIN__STORE__URL=database, **environment) as gateway,
    ):
        response = await gateway.client.post("/v1/notifications", json=NOTIFICATION)
        await until(lambda: mailbox.total, what="the mail")

    assert made.code == 0, made.err
    assert refused.code == 1
    assert "GroupAuthorizationFailedError: the cluster does not allow that to us" in refused.err
    assert response.status_code == 202


async def test_a_service_that_may_do_nothing_ends_and_says_so(tocsin: Tocsin, guarded: Guarded, database: str) -> None:
    made = await tocsin("topics", "apply", "--yes", BOOTSTRAP_SERVERS=guarded.open)
    ran = await tocsin(
        "up", "--port", "0", database=database, BOOTSTRAP_SERVERS=guarded.sasl, **{**SCRAM, "USERNAME": STRANGER}
    )

    assert made.code == 0
    assert ran.code == 1
    assert "kafka.username" in ran.err.splitlines()[-1]


async def test_a_service_that_is_not_let_in_ends_and_says_why(tocsin: Tocsin, guarded: Guarded, database: str) -> None:
    ran = await tocsin(
        "up", "--port", "0", database=database, BOOTSTRAP_SERVERS=guarded.sasl, **{**SCRAM, "PASSWORD": "wrong"}
    )

    assert ran.code == 1
    assert "with this password" in ran.err.splitlines()[-1]


async def test_tables_that_are_not_there_say_how_they_are_made(
    tocsin: Tocsin, guarded: Guarded, empty_database: str
) -> None:
    ran = await tocsin("up", "--port", "0", database=empty_database, BOOTSTRAP_SERVERS=guarded.open)

    assert ran.code == 1
    assert "run `tocsin migrate`" in ran.err.splitlines()[-1]
