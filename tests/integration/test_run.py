"""`tocsin run`: the services in processes of their own, on a real Kafka and a real PostgreSQL."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from simulators.smtp import builtin
from simulators.smtp.faults import Faults
from simulators.smtp.mailbox import Mailbox
from simulators.smtp.server import listening
from tests.support import cluster as cluster_of_one
from tests.support import kafka, kafka_jars, processes
from tests.support.postgres import database, databases
from tests.support.waiting import until
from tocsin.runtime.clock import SystemClock

pytestmark = [pytest.mark.xdist_group("kafka"), pytest.mark.timeout(180)]
__all__ = ["database", "databases"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Where everything is, as the environment of a command."""

    directory: Path
    environment: dict[str, str]

    async def command(self, *arguments: str) -> processes.Ran:
        """Run a command to its end."""
        return await processes.run(*arguments, directory=self.directory, **self.environment)

    @asynccontextmanager
    async def running(self, *arguments: str) -> AsyncIterator[processes.Process]:
        """Run services until the block is left."""
        async with processes.started("run", *arguments, directory=self.directory, **self.environment) as process:
            yield process


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    """Return a Kafka of this module's own, since its topics have the real names."""
    if reason := kafka_jars.missing():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    with kafka.running() as cluster:
        yield cluster.bootstrap


@pytest.fixture
async def cluster(broker: str, database: str, tmp_path: Path) -> Cluster:
    (tmp_path / "topics.toml").write_text(cluster_of_one.TOPICS)
    environment = {
        "TOCSIN__KAFKA__BOOTSTRAP_SERVERS": broker,
        "TOCSIN__KAFKA__TOPICS_FILE": str(tmp_path / "topics.toml"),
        "TOCSIN__KAFKA__REPLICATION": "1",
        "TOCSIN__STORE__URL": database,
        "TOCSIN__EMAIL__TLS": "none",
        # One that is killed holds its partitions for a session, and what it was sending for a lease.
        "TOCSIN__KAFKA__SESSION_SECONDS": "6",
        "TOCSIN__KAFKA__HEARTBEAT_SECONDS": "1",
        "TOCSIN__WORKER__ATTEMPT_SECONDS": "5",
        "TOCSIN__WORKER__LEASE_SECONDS": "8",
        "TOCSIN_BOOTSTRAP_KEY": processes.KEY,
    }
    made = Cluster(directory=tmp_path, environment=environment)
    applied = await made.command("topics", "apply", "--yes")
    assert applied.code == 0, applied.err
    return made


@pytest.fixture
async def mailbox() -> AsyncIterator[tuple[Mailbox, int]]:
    """Return a simulator's mailbox, and the port that mail for it goes to."""
    clock = SystemClock()
    box = Mailbox(now=clock.now)
    async with listening(mailbox=box, faults=Faults(builtin.faults()), clock=clock) as port:
        yield box, port


async def test_services_apart_share_the_work_and_one_that_is_killed_loses_nothing(
    cluster: Cluster, mailbox: tuple[Mailbox, int]
) -> None:
    box, port = mailbox
    cluster.environment["TOCSIN__EMAIL__PORT"] = str(port)
    async with (
        cluster.running("producer", "dlq", "audit", "--port", "0") as api,
        cluster.running("channel", "email", "--processes", "2", "--port", "0") as channel,
    ):
        ids = [await _submitted(api.client, number) for number in range(20)]
        killed = (await _children(channel.process.pid))[0]
        os.kill(killed, signal.SIGKILL)
        ids += [await _submitted(api.client, number) for number in range(20, 40)]
        for notification_id in ids:
            await _delivered(api.client, notification_id)
        await until(
            lambda: killed not in _pids(channel.process.pid) and len(_pids(channel.process.pid)) == 2,
            what="two",
            seconds=60,
        )
        channel.signal(signal.SIGTERM)
        api.signal(signal.SIGTERM)

        assert await channel.exit_code(within=60) == 0
        assert await api.exit_code(within=60) == 0
    assert set(box.by_recipient) == {f"c{number}@example.test" for number in range(40)}


async def test_where_the_process_that_keeps_them_is_killed_none_stays_behind(cluster: Cluster) -> None:
    async with cluster.running("channel", "email", "--processes", "2", "--port", "0") as keeper:
        children = await _children(keeper.process.pid)
        keeper.signal(signal.SIGKILL)
        await keeper.exit_code(within=60)

        await until(lambda: not any(map(_runs, children)), what="both to drain and end", seconds=80)


async def test_a_process_that_takes_nothing_in_makes_no_first_key(cluster: Cluster) -> None:
    """It would be printed into the log of whichever process was the first."""
    del cluster.environment["TOCSIN_BOOTSTRAP_KEY"]
    said = [await _said(cluster, *services) for services in (("channel", "email"), ("audit", "dlq"), ("producer",))]

    assert ["tcs_" in each for each in said] == [False, False, True]


async def test_services_do_not_run_apart_on_the_embedded_log(tmp_path: Path) -> None:
    ran = await processes.run("run", "producer", "--port", "0", directory=tmp_path)
    assert ran.code == 2
    assert "kafka.bootstrap_servers" in ran.err
    assert "tocsin up" in ran.err


async def test_kafka_without_postgresql_is_refused_with_what_to_set(tmp_path: Path) -> None:
    ran = await processes.run("up", directory=tmp_path, TOCSIN__KAFKA__BOOTSTRAP_SERVERS="127.0.0.1:1")
    assert ran.code == 2
    assert "store.url (TOCSIN__STORE__URL)" in ran.err


async def test_several_processes_that_cannot_start_end_with_their_reason(tmp_path: Path) -> None:
    ran = await processes.run("run", "channel", "email", "--processes", "2", "--port", "0", directory=tmp_path)
    assert ran.code != 0
    assert "kafka.bootstrap_servers" in ran.err


async def _submitted(client: httpx.AsyncClient, number: int) -> str:
    document = {
        "recipient": {"email": f"c{number}@example.test"},
        "channels": ["email"],
        "content": {"email": {"subject": f"Mail {number}", "text": "Hello."}},
    }
    response = await client.post("/v1/notifications", json=document)
    assert response.status_code == 202, response.text
    return str(response.json()["id"])


async def _delivered(client: httpx.AsyncClient, notification_id: str) -> None:
    async with asyncio.timeout(60):
        while True:
            response = await client.get(f"/v1/notifications/{notification_id}")
            if response.status_code == 200 and response.json()["state"] == "delivered":
                return
            await asyncio.sleep(0.1)


async def _children(pid: int) -> list[int]:
    await until(lambda: len(_pids(pid)) == 2, what="two processes", seconds=60)
    return _pids(pid)


async def _said(cluster: Cluster, *services: str) -> str:
    """Return all that services have said between their start and their end."""
    async with cluster.running(*services, "--port", "0") as process:
        process.signal(signal.SIGTERM)
        out, err = await asyncio.wait_for(process.process.communicate(), timeout=60)
        assert process.process.returncode == 0
    return (out + err).decode()


def _runs(pid: int) -> bool:
    """Return whether a process runs. One that ended may be left unburied, where nobody adopts it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _pids(parent: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
