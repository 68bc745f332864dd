"""One data directory, and the gateways that live and die on it, with the mail server that outlives them all."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec

from simulators.smtp import builtin
from simulators.smtp.faults import Fault, Faults, Reply
from simulators.smtp.mailbox import Mailbox
from simulators.smtp.server import listening
from tests.chaos.crash_gateway import MARKER, STDERR, Order, SharedClock, Told
from tests.support.processes import KEY
from tocsin.runtime.clock import SystemClock

IN_FLIGHT = 32
ONCE = "otp"
_START_SECONDS = 60
# What this server says to `refused+…`: no such user would suppress the address, and its replay would not be sent.
_REFUSED = Fault(phase="rcpt", recipients="refused+*@*", reply=Reply(code=552, enhanced="5.2.2", text="Mailbox full"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Forge:
    """Where gateways are made: the socket of a `crash_gateway`."""

    socket: str


@contextmanager
def forging() -> Iterator[Forge]:
    """Run the process that gateways are forked from."""
    with tempfile.TemporaryDirectory(prefix="tocsin-") as name:
        path = str(Path(name, "forge"))
        command = [sys.executable, "-m", "tests.chaos.crash_gateway", path]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN")}
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield Forge(socket=path)
            process.communicate()


@dataclass(slots=True, kw_only=True)
class Incarnation:
    """One gateway, from its start to its death, with the mail that it sent."""

    client: httpx.AsyncClient
    mailbox: Mailbox
    pid: int
    death: asyncio.Task[datetime]
    code: int | None = None

    @property
    def died_at(self) -> datetime:
        """When it was known to be dead, by the gateways' clock."""
        return self.death.result()

    def kill(self) -> None:
        """Kill it, if it lives. It is dead once `exit_code` has returned."""
        if not self.death.done():
            os.kill(self.pid, signal.SIGKILL)

    async def drained(self) -> int:
        """Ask it to drain; return its exit code."""
        os.kill(self.pid, signal.SIGTERM)
        return await self.exit_code()

    async def exit_code(self, *, within: float = 60) -> int:
        """Return its exit code, once it has ended. Fails the test if it does not in time (seconds)."""
        await asyncio.wait_for(asyncio.shield(self.death), timeout=within)
        assert self.code is not None
        return self.code


@dataclass(slots=True, kw_only=True)
class Ordeal:
    """The stage. `since` is when its time began; on its clock it runs `speed` times as fast."""

    directory: Path
    speed: float
    since: datetime
    forge: Forge
    faults: Faults
    incarnations: list[Incarnation] = field(default_factory=list)
    _stack: AsyncExitStack

    def now(self) -> datetime:
        """Return the time by the gateways' clock."""
        return SharedClock(self.speed, self.since).now()

    def marker(self) -> str:
        """Return the failpoint at which the last gateway died, empty if it did not die of one."""
        path = self.directory / MARKER
        return path.read_text() if path.exists() else ""

    def mend(self) -> None:
        """Let the mail server take everything from now on."""
        self.faults._standing.clear()

    @property
    def sent(self) -> int:
        """Return how many mails all gateways have sent so far."""
        return sum(incarnation.mailbox.total for incarnation in self.incarnations)

    @asynccontextmanager
    async def gateway(self, failpoint: str = "", *, passing: int = 1) -> AsyncIterator[Incarnation]:
        """Run a gateway on the data directory; it is dead when the block is left, killed if it still lives.

        Each has a mail server of its own, under the same rules, which goes on until all is over: what was in the
        pipes when a gateway died is taken as a real server would take it.
        """
        (self.directory / MARKER).unlink(missing_ok=True)
        mailbox = Mailbox(now=SystemClock().now, max_mails=50_000)
        port = await self._stack.enter_async_context(
            listening(mailbox=mailbox, faults=self.faults, clock=SystemClock())
        )
        order = Order(
            directory=str(self.directory),
            settings=_settings(self.directory, port),
            speed=self.speed,
            since=self.since,
            failpoint=failpoint,
            passing=passing,
        )
        reader, writer = await asyncio.open_unix_connection(self.forge.socket)
        try:
            writer.write(msgspec.json.encode(order) + b"\n")
            incarnation = await self._born(reader, mailbox)
            self.incarnations.append(incarnation)
            async with incarnation.client:
                try:
                    yield incarnation
                finally:
                    incarnation.kill()
                    await incarnation.exit_code()
        finally:
            writer.close()
            await writer.wait_closed()

    async def _born(self, reader: asyncio.StreamReader, mailbox: Mailbox) -> Incarnation:
        pid = (await _told(reader)).pid
        url = (await asyncio.wait_for(_told(reader), timeout=_START_SECONDS)).url
        assert pid is not None
        assert url is not None, f"it did not start: {(self.directory / STDERR).read_text()}"

        async def dying() -> datetime:
            incarnation.code = (await _told(reader)).code
            return self.now()

        client = httpx.AsyncClient(base_url=url, headers=_HEADERS, timeout=30)
        incarnation = Incarnation(client=client, mailbox=mailbox, pid=pid, death=asyncio.create_task(dying()))
        return incarnation


@asynccontextmanager
async def ordeal(
    directory: Path, forge: Forge, *, speed: float, faults: tuple[Fault, ...] = ()
) -> AsyncIterator[Ordeal]:
    """Set the stage. `faults` are of the mail server, beside the built-in ones. No refusal suppresses an address."""
    rules = Faults((_REFUSED, *builtin.faults()))
    for fault in faults:
        rules.add(fault)
    async with AsyncExitStack() as stack:
        yield Ordeal(directory=directory, speed=speed, since=datetime.now(UTC), forge=forge, faults=rules, _stack=stack)


_HEADERS: Mapping[str, str] = {"Authorization": f"Bearer {KEY}"}


def _settings(directory: Path, smtp_port: int) -> dict[str, dict[str, Any]]:
    return {
        "": {"data_dir": str(directory)},
        "http": {"port": 0},
        "email": {"host": "127.0.0.1", "port": smtp_port, "tls": "none"},
        "worker": {"in_flight": IN_FLIGHT},
        "delivery": {"at_most_once_categories": (ONCE,)},
    }


async def _told(reader: asyncio.StreamReader) -> Told:
    line = await reader.readline()
    assert line, "the forge is gone"
    return msgspec.json.decode(line, type=Told)
