"""The compose files' containers as processes of this machine: what they run, are given and are asked is as written.

In place of its network each service has a loopback address of its own, so that ports are as written too; in place of
mounts, the files themselves or copies of them.
"""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.deploy import composing
from tests.deploy.composing import DEPLOY
from tests.support import kafka, postgres

# What of KAFKA_… is for the image's scripts and not for the broker.
_SCRIPTS = frozenset({"KAFKA_HEAP_OPTS"})
# If we are killed, so are they. They keep their process ids, by which they are ended.
_GUARD = ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()
_SECONDS = re.compile(r"(\d+)s")


class Topology:
    """A project whose services can be started one by one."""

    def __init__(self, project: composing.Tree, folder: Path) -> None:
        self.services: Mapping[str, Any] = project["services"]
        self._secrets: Mapping[str, Any] = project["secrets"]
        self._folder = folder
        # In place of what is mounted, by service and path in the container.
        self._replaced: dict[tuple[str, str], Path] = {("prometheus", "/prometheus"): folder / "tsdb"}
        net = os.getpid()
        # 127.0.0.0/8 is loopback; nobody else is likely to have this part of it.
        self._addresses = {
            name: f"127.{100 + net % 100}.{net // 100 % 250}.{number}"
            for number, name in enumerate(self.services, start=1)
        }
        (folder / "secrets").mkdir()
        (folder / "secrets" / "create.sh").write_bytes((DEPLOY / "secrets" / "create.sh").read_bytes())
        subprocess.run(["sh", str(folder / "secrets" / "create.sh")], check=True)

    def address(self, service: str) -> str:
        """Return where a service is."""
        return self._addresses[service]

    def secret(self, name: str) -> str:
        """Return a secret."""
        return self._host_path(self._secrets[name]["file"]).read_text(encoding="utf-8").strip()

    def secrets(self) -> list[str]:
        """Return all secrets that are not empty."""
        return [secret for name in self._secrets if (secret := self.secret(name))]

    def mapped(self, service: str, text: str) -> str:
        """Return a text of a container as it is on this machine: addresses, names of services, paths."""
        text = re.sub(r"\b(0\.0\.0\.0|127\.0\.0\.1|localhost)\b", self.address(service), text)
        for name, address in self._addresses.items():
            text = re.sub(rf"(?<![\w.-]){re.escape(name)}(?=:\d)", address, text)
        for inside, outside in sorted(self._mounts(service).items(), reverse=True):
            text = re.sub(rf"(?<![\w/]){re.escape(inside)}(?=/|$)", str(outside), text)
        return text

    def replace(self, service: str, inside: str, outside: Path) -> None:
        """Give a service another file or folder than the one that is mounted."""
        self._replaced[service, inside] = outside

    def environment(self, service: str) -> dict[str, str]:
        """Return the environment of a service."""
        # A value may be the name of a service and nothing else.
        given = {
            name: self._addresses.get(text) or self.mapped(service, text)
            for name, text in self.services[service]["environment"].items()
        }
        return {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(self._folder), **given}

    def folder(self, service: str) -> Path:
        """Return the folder that a service is run in."""
        folder = self._folder / service
        folder.mkdir(exist_ok=True)
        return folder

    async def completed(self, service: str) -> None:
        """Run a service that ends. Fails the test unless it ends well."""
        process = await self._start(service, [*self._program(service), *self._command(service)])
        try:
            code = await asyncio.wait_for(process.wait(), 60)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert code == 0, f"{service} ended with {code}:\n{self.log(service)}"

    @asynccontextmanager
    async def running(self, service: str, program: Sequence[str] = ()) -> AsyncIterator[None]:
        """Run a service, from when its health check says that it is healthy until the block is left.

        `program` is run in place of ours.
        """
        process = await self._start(service, [*(program or self._program(service)), *self._command(service)])
        try:
            await self._healthy(service, process)
            yield
        finally:
            if process.returncode is None:
                process.terminate()
            # A drain that takes longer than it may would be killed by the engine too.
            code = await asyncio.wait_for(
                process.wait(), _seconds(self.services[service].get("stop_grace_period", "10s"))
            )
        assert code == 0, f"{service} ended with {code}:\n{self.log(service)}"

    def log(self, service: str) -> str:
        """Return what a service has said."""
        return (self._folder / f"{service}.log").read_text(errors="replace")

    def _program(self, service: str) -> list[str]:
        """Return the entry point: the image's, unless the service has another one."""
        return [self.mapped(service, word) for word in self.services[service].get("entrypoint", ["tocsin"])]

    def _command(self, service: str) -> list[str]:
        return [self.mapped(service, str(word)) for word in self.services[service]["command"]]

    async def _start(self, service: str, command: Sequence[str]) -> asyncio.subprocess.Process:
        with (self._folder / f"{service}.log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *_GUARD,
                *command,
                cwd=self.folder(service),
                env=self.environment(service),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    async def _healthy(self, service: str, process: asyncio.subprocess.Process) -> None:
        check = self.services[service]["healthcheck"]
        kind, *test = (self.mapped(service, word) for word in check["test"])
        assert kind == "CMD"
        grace = _seconds(check["start_period"]) + check["retries"] * _seconds(check["interval"])
        deadline = asyncio.get_running_loop().time() + grace
        while True:
            assert process.returncode is None, f"{service} ended with {process.returncode}:\n{self.log(service)}"
            asked = await asyncio.create_subprocess_exec(
                *test,
                env=self.environment(service),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            said = await _answer(asked, seconds=_seconds(check["timeout"]))
            if asked.returncode == 0:
                return
            assert asyncio.get_running_loop().time() < deadline, f"{service}:\n{said}\n{self.log(service)}"
            await asyncio.sleep(0.1)

    def _mounts(self, service: str) -> dict[str, Path]:
        mounts = {f"/run/secrets/{name}": self._host_path(self._secrets[name]["file"]) for name in self._given(service)}
        for volume in self.services[service].get("volumes", []):
            if isinstance(volume, Mapping):
                mounts[volume["target"]] = self._host_path(volume["source"])
            else:
                name, inside = volume.split(":")
                mounts[inside] = self._folder / f"volume-{name}"
        return mounts | {inside: outside for (owner, inside), outside in self._replaced.items() if owner == service}

    def _given(self, service: str) -> Sequence[str]:
        found: Sequence[str] = self.services[service].get("secrets", [])
        return found

    def _host_path(self, path: str) -> Path:
        return self._folder / path if path.startswith("./secrets/") else (DEPLOY / path).resolve()


@asynccontextmanager
async def running_kafka(topology: Topology) -> AsyncIterator[None]:
    """Run a real broker with the settings that the compose file gives it."""
    given = topology.services["kafka"]["environment"]
    environment = topology.environment("kafka")
    # As the image does it; "://:" listens everywhere, and here that is everybody's.
    properties = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): environment[name].replace(
            "://:", f"://{topology.address('kafka')}:"
        )
        for name in given
        if name.startswith("KAFKA_") and name not in _SCRIPTS
    }
    voter = properties["controller.quorum.voters"]
    properties["controller.quorum.voters"] = voter.replace("@kafka:", f"@{topology.address('kafka')}:")
    path = topology.folder("kafka") / "server.properties"
    path.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))
    java = kafka._java("256m")
    formatting = [*java, "kafka.tools.StorageTool", "format", "-t", given["CLUSTER_ID"], "-c", str(path)]
    done = await asyncio.to_thread(subprocess.run, formatting, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    with (topology.folder("kafka") / "said").open("wb") as said:
        command = [*_GUARD, *java, "kafka.Kafka", str(path)]
        broker = await asyncio.create_subprocess_exec(*command, stdout=said, stderr=subprocess.STDOUT)
    try:
        address = topology.mapped("kafka", "kafka:9092")
        async with asyncio.timeout(90):
            while not await _listens(address) or not await kafka.answers(address, brokers=1):
                assert broker.returncode is None, (topology.folder("kafka") / "said").read_text()
                await asyncio.sleep(0.1)
        yield
    finally:
        if broker.returncode is None:
            broker.kill()
        await broker.wait()


async def _listens(address: str) -> bool:
    host, port = address.split(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return False
    writer.close()
    return True


@asynccontextmanager
async def running_postgres(topology: Topology) -> AsyncIterator[None]:
    """Run a real server with the user, the database and the password that the compose file gives it."""
    given = topology.services["postgres"]["environment"]
    assert topology.environment("postgres")["POSTGRES_PASSWORD_FILE"].endswith("/secrets/postgres-password")
    server = postgres.Server(postgres.binaries())
    try:
        access = server._data / "pg_hba.conf"
        # The first line that fits holds.
        access.write_text("host all all 127.0.0.0/8 scram-sha-256\n" + access.read_text())
        server.start(f"listen_addresses={topology.address('postgres')}", "port=5432")
        async with postgres.connected(server.url) as connection:
            password = topology.secret("postgres-password")
            await connection.exec_driver_sql(f"ALTER ROLE {given['POSTGRES_USER']} PASSWORD '{password}'")
            await connection.exec_driver_sql(f"CREATE DATABASE {given['POSTGRES_DB']} OWNER {given['POSTGRES_USER']}")
        yield
    finally:
        server.remove()


async def _answer(asked: asyncio.subprocess.Process, *, seconds: float) -> str:
    """Return what a check has said. One that takes too long is killed, and has failed, as the engine has it."""
    try:
        said, _ = await asyncio.wait_for(asked.communicate(), seconds)
    except TimeoutError:
        asked.kill()
        await asked.wait()
        return f"no answer within {seconds:g} s"
    return said.decode()


def _seconds(duration: str) -> float:
    found = _SECONDS.fullmatch(duration)
    assert found, duration
    return float(found[1])
