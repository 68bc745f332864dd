"""The gateway as its users run it: a process of its own, ended by a signal."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

KEY = "tcs_" + "k" * 43
_TOCSIN = Path(sys.executable).with_name("tocsin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a command came to."""

    code: int
    out: str
    err: str


async def run(*arguments: str, directory: Path, **environment: str) -> Ran:
    """Run a command of `tocsin` to its end in a directory."""
    process = await _start(*arguments, directory=directory, environment=environment)
    out, err = await asyncio.wait_for(process.communicate(), timeout=60)
    assert process.returncode is not None
    return Ran(code=process.returncode, out=out.decode(), err=err.decode())


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A gateway that serves."""

    url: str
    client: httpx.AsyncClient
    process: asyncio.subprocess.Process

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    async def exit_code(self, *, within: float) -> int:
        """Return the exit code, once it has ended. Fails the test if it does not in time (seconds)."""
        return await asyncio.wait_for(self.process.wait(), timeout=within)


@asynccontextmanager
async def serving(directory: Path, *, smtp_port: int, **environment: str) -> AsyncIterator[Process]:
    """Run `tocsin up` in a directory, its mail going to a port; killed at the end if it still runs."""
    given = {
        "TOCSIN__HTTP__PORT": "0",
        "TOCSIN__EMAIL__PORT": str(smtp_port),
        "TOCSIN__EMAIL__TLS": "none",
        "TOCSIN_BOOTSTRAP_KEY": KEY,
        **environment,
    }
    async with started("up", directory=directory, **given) as process:
        yield process


@asynccontextmanager
async def started(*arguments: str, directory: Path, **environment: str) -> AsyncIterator[Process]:
    """Run a command that serves until the block is left; killed then if it still runs."""
    process = await _start(*arguments, directory=directory, environment=environment)
    try:
        url = await asyncio.wait_for(_url(process), timeout=60)
        async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {KEY}"}, timeout=30) as client:
            yield Process(url=url, client=client, process=process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _start(*arguments: str, directory: Path, environment: dict[str, str]) -> asyncio.subprocess.Process:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN")}
    return await asyncio.create_subprocess_exec(
        _TOCSIN,
        *arguments,
        cwd=directory,
        env={**inherited, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def _url(process: asyncio.subprocess.Process) -> str:
    """Return the URL that the gateway says it serves on."""
    assert process.stdout is not None
    assert process.stderr is not None
    async for line in process.stdout:
        words = line.decode().split()
        if words[:1] == ["API"]:
            return words[1]
    raise AssertionError(f"the gateway did not start: {(await process.stderr.read()).decode()}")
