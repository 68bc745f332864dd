"""A Kafka, a PostgreSQL and a mail server, all of which may be mistreated, and the gateway's processes on them."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import httpx

from simulators.smtp import builtin
from simulators.smtp.faults import Fault, Faults
from simulators.smtp.mailbox import Mailbox
from simulators.smtp.server import listening
from tests.support import kafka, postgres
from tests.support.kafka import Cluster
from tests.support.postgres import Server
from tests.support.processes import KEY
from tests.support.waiting import until
from tocsin.runtime.clock import SystemClock

# Provider calls that one process has under way at most.
IN_FLIGHT = 16
ONCE = "otp"
PROCESSES = 2

_START_SECONDS = 60
_DRAIN_SECONDS = 45
# A moment before each answer, so that there is always something in the air.
_SLOW = Fault(phase="body", delay_seconds=0.15)
_T = TypeVar("_T")

# Quick to notice who is gone: what is tested is that it heals, not how long the defaults wait before it does.
_SETTINGS = f"""\
[kafka]
topics_file = "{{topics}}"
replication = {{copies}}
session_seconds = 6
heartbeat_seconds = 1
[worker]
in_flight = {IN_FLIGHT}
attempt_seconds = 5
lease_seconds = 8
[delivery]
at_most_once_categories = ["{ONCE}"]
[email]
tls = "none"
"""
_TOPICS = """\
min_insync_replicas = 2
max_message_bytes = 1_179_648
[kinds]
delivery = {partitions = 4, retention_hours = 168}
retry = {partitions = 1, retention_hours = 168}
dlq = {partitions = 1, retention_hours = 336}
audit = {partitions = 2, retention_hours = 336}
"""


@dataclass(slots=True, kw_only=True)
class Service:
    """A `tocsin run` that serves, and what it says in a file."""

    process: asyncio.subprocess.Process
    url: str
    said: Path
    children: set[int] = field(default_factory=set)
    code: int | None = None

    def workers(self) -> list[int]:
        """Return the processes that it keeps running."""
        pid = self.process.pid
        try:
            found = [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        except FileNotFoundError:
            return []
        self.children.update(found)
        return found

    async def drained(self) -> None:
        """Ask it to drain; return once it has ended, which it must do in order."""
        self.process.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(self.process.wait(), timeout=_DRAIN_SECONDS)
        assert code == 0, f"ended with {code}:\n{self.tail()}"

    def tail(self) -> str:
        """Return the last that it said."""
        return self.said.read_text(errors="replace")[-3000:]

    async def end(self) -> None:
        """End it at once if it still runs, and whoever it has left behind."""
        self.workers()
        if self.process.returncode is None:
            self.process.kill()
        for pid in self.children:
            # Ours only: a number that has been given to somebody else since is not below a process named tocsin.
            with contextlib.suppress(OSError):
                if b"tocsin" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    os.kill(pid, signal.SIGKILL)
        await self.process.wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What outlives the gateway's processes."""

    directory: Path
    cluster: Cluster
    database: Server
    _hands: ThreadPoolExecutor

    async def by_hand(self, action: Callable[..., _T], *arguments: object) -> _T:
        """Do what blocks, always on the same thread: what a thread has started ends with the thread."""
        return await asyncio.get_running_loop().run_in_executor(self._hands, action, *arguments)

    @asynccontextmanager
    async def mail_server(self) -> AsyncIterator[tuple[Mailbox, int]]:
        """Run the mail server; yield its mailbox and its port."""
        faults, clock = Faults(builtin.faults()), SystemClock()
        faults.add(_SLOW)
        mailbox = Mailbox(now=clock.now, max_mails=50_000)
        async with listening(mailbox=mailbox, faults=faults, clock=clock) as port:
            yield mailbox, port

    @asynccontextmanager
    async def running(self, *arguments: str, **environment: str) -> AsyncIterator[Service]:
        """Run services until the block is left; at its end they are dead whatever has happened."""
        said = self.directory / f"{'-'.join(arguments[:2])}.log"
        # If we are killed, it drains and ends.
        guard = ("setpriv", "--pdeathsig", "TERM") if shutil.which("setpriv") else ()
        with said.open("ab") as file:
            process = await asyncio.create_subprocess_exec(
                *guard,
                *_command("run", *arguments, "--port", "0"),
                cwd=self.directory,
                env=self._environment(environment),
                stdin=subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=file,
            )
        service = Service(process=process, url="", said=said)
        try:
            async with asyncio.timeout(_START_SECONDS):
                service.url = await _url(service)
            yield service
        finally:
            await service.end()

    @asynccontextmanager
    async def gateway(self, smtp_port: int, **environment: str) -> AsyncIterator[tuple[httpx.AsyncClient, Service]]:
        """Run the API, and the channel in two processes; yield a client of the one, and the other. Drains both."""
        given = {"TOCSIN__EMAIL__PORT": str(smtp_port), **environment}
        async with (
            self.running("producer", "dlq", "audit", **given) as api,
            self.running("channel", "email", "--processes", str(PROCESSES), **given) as channel,
        ):
            await until(
                lambda: len(channel.workers()) == PROCESSES, what="the channel's processes", seconds=_START_SECONDS
            )
            headers = {"Authorization": f"Bearer {KEY}"}
            async with httpx.AsyncClient(base_url=api.url, headers=headers, timeout=15) as client:
                yield client, channel
            channel.workers()
            await channel.drained()
            await api.drained()

    def command(self, *arguments: str) -> None:
        """Run a command to its end."""
        subprocess.run(
            _command(*arguments),
            cwd=self.directory,
            env=self._environment({}),
            check=True,
            capture_output=True,
            timeout=_START_SECONDS,
        )

    def _environment(self, more: Mapping[str, str]) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN")}
        return {
            **inherited,
            "TOCSIN_CONFIG": str(self.directory / "tocsin.toml"),
            "TOCSIN__KAFKA__BOOTSTRAP_SERVERS": self.cluster.bootstrap,
            "TOCSIN__STORE__URL": self.database.url,
            "TOCSIN_BOOTSTRAP_KEY": KEY,
            **more,
        }


@contextmanager
def staged(directory: Path, *, brokers: int = 1) -> Iterator[Stage]:
    """Run Kafka and PostgreSQL, with topics and tables, until the block is left."""
    copies = min(3, brokers)
    topics = directory / "topics.toml"
    topics.write_text(_TOPICS)
    (directory / "tocsin.toml").write_text(_SETTINGS.format(topics=topics, copies=copies))
    database = Server(postgres.binaries())
    try:
        database.start()
        with kafka.running(brokers=brokers) as cluster, ThreadPoolExecutor(max_workers=1) as hands:
            stage = Stage(directory=directory, cluster=cluster, database=database, _hands=hands)
            stage.command("migrate")
            stage.command("topics", "apply", "--yes")
            yield stage
    finally:
        database.remove()


def _command(*arguments: str) -> list[str]:
    return [str(Path(sys.executable).with_name("tocsin")), *arguments]


async def _url(service: Service) -> str:
    """Return the URL that it, or the first of its processes, says that it serves on."""
    assert service.process.stdout is not None
    async for line in service.process.stdout:
        words = line.decode().split()
        if words[:1] == ["API"]:
            return words[1]
    raise AssertionError(f"it did not start:\n{service.tail()}")
