"""The README's shell blocks, and a fresh clone in which to run them as a new user would."""

import asyncio
import os
import re
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]

_BLOCK = re.compile(r"^(?:<!-- (?P<mark>[^\n]*?) -->\n)?```sh\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
# What the caller's own environment and `make` would bring into a shell that is to be a new user's.
_OURS = ("TOCSIN", "VIRTUAL_ENV", "PYTHONPATH", "MAKE", "MFLAGS", "GIT_", "PYTEST_", "COV_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A shell block: its text, and the comment before it that says when it is to be run."""

    mark: str | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a block came to."""

    code: int
    out: str
    err: str


def blocks(text: str) -> list[Block]:
    """Return the shell blocks of a Markdown text, in their order."""
    return [Block(mark=found["mark"], text=found["text"]) for found in _BLOCK.finditer(text)]


def in_use(*ports: int) -> list[int]:
    """Return those ports of this machine that somebody has."""
    taken = []
    for port in ports:
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                taken.append(port)
    return taken


async def clone(into: Path) -> Path:
    """Clone what this repository has committed; return the folder."""
    ran = await shell(f"git clone --quiet '{ROOT}' tocsin", directory=into)
    assert ran.code == 0, f"git cannot clone {ROOT}: {ran.err}"
    return into / "tocsin"


async def shell(text: str, *, directory: Path, seconds: float = 60) -> Ran:
    """Run a block to its end in a directory, stopping at the first command that fails."""
    process = await asyncio.create_subprocess_exec(
        *("bash", "-eu", "-o", "pipefail", "-c", text),
        cwd=directory,
        env=_environment(),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), timeout=seconds)
    finally:
        _kill(process)
    assert process.returncode is not None
    return Ran(code=process.returncode, out=out.decode(), err=err.decode())


@dataclass(slots=True, kw_only=True)
class Foreground:
    """A command in a terminal of its own, with all that it has printed so far."""

    process: asyncio.subprocess.Process
    printed: str = ""
    ended: bool = False
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, text: str, *, seconds: float) -> None:
        """Return once it has printed a text. Fails the test if it ends before that, or takes longer."""
        async with asyncio.timeout(seconds):
            while text not in self.printed:
                assert not self.ended, f"it ended before it printed {text!r}:\n{self.printed}"
                self._news.clear()
                await self._news.wait()

    async def interrupt(self, *, within: float) -> int:
        """Press Ctrl-C: every process of the terminal gets the signal. Return the exit code."""
        os.killpg(self.process.pid, signal.SIGINT)
        return await asyncio.wait_for(self.process.wait(), timeout=within)

    async def read(self) -> None:
        """Take in what it prints until it ends."""
        assert self.process.stdout is not None
        while more := await self.process.stdout.read(65536):
            self.printed += more.decode(errors="replace")
            self._news.set()
        self.ended = True
        self._news.set()


@asynccontextmanager
async def foreground(text: str, *, directory: Path) -> AsyncIterator[Foreground]:
    """Run a command beside the test; killed at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        *text.split(),
        cwd=directory,
        env=_environment(),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    running = Foreground(process=process)
    reading = asyncio.create_task(running.read())
    try:
        yield running
    finally:
        _kill(process)
        await process.wait()
        await reading


def _kill(process: asyncio.subprocess.Process) -> None:
    """End what is left of the command's session, if the command itself has not ended."""
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
