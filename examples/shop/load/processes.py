"""A process of the shop or the gateway, killed without warning and started again, as often as it takes."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx

from tocsin.runtime import parent

_START_SECONDS = 90.0
_DRAIN_SECONDS = 30.0
_LOOK_SECONDS = 0.05
_TOLD = 4000


class Failed(Exception):
    """A process ended by itself, or does not get ready. The message has the end of what it said."""


class Process:
    """`python -m <arguments>`, which says at `url` whether it is ready, and appends what it says to the file `log`.

    `end` is this process's end of a pipe (`runtime.parent`): should we be killed, it drains and ends as well.
    """

    def __init__(
        self, name: str, arguments: Sequence[str], *, url: str, environment: Mapping[str, str], log: Path, end: int
    ) -> None:
        self.name = name
        self.url = url
        self.kills = 0
        self._arguments = arguments
        self._environment = {**environment, parent.VARIABLE: str(end)}
        self._log = log
        self._end = end
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, and return once it is ready. Raises Failed."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", *self._arguments),
                env={**os.environ, **self._environment},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                pass_fds=[self._end],
                start_new_session=True,  # Ctrl-C is for us, who drain it then
            )
        try:
            async with asyncio.timeout(_START_SECONDS):
                await self._ready(self._process)
        except TimeoutError:
            raise Failed(f"{self.name} is not ready after {_START_SECONDS:g} s:\n{self._said()}") from None

    async def kill_and_restart(self) -> None:
        """End it where it is, as a power cut would, and start it again. Raises Failed."""
        process = self._running()
        process.kill()
        await process.wait()
        self.kills += 1
        await self.start()

    async def drain(self) -> None:
        """Have it end in order. Raises Failed if it takes more than 30 s, or does not end well."""
        process = self._running()
        process.send_signal(signal.SIGTERM)
        try:
            code = await asyncio.wait_for(process.wait(), _DRAIN_SECONDS)
        except TimeoutError:
            raise Failed(f"{self.name} did not drain within {_DRAIN_SECONDS:g} s:\n{self._said()}") from None
        if code != 0:
            raise Failed(f"{self.name} ended with {code}:\n{self._said()}")

    async def close(self) -> None:
        """End it if it still runs, whatever has happened."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def _ready(self, process: asyncio.subprocess.Process) -> None:
        async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
            while not await _answers(client, f"{self.url}/readyz"):
                if process.returncode is not None:
                    raise Failed(f"{self.name} ended with {process.returncode}:\n{self._said()}")
                await asyncio.sleep(_LOOK_SECONDS)

    def _running(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            raise Failed(f"{self.name} does not run:\n{self._said()}")
        return self._process

    def _said(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")[-_TOLD:] if self._log.exists() else ""


async def _answers(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url)).is_success
    except httpx.HTTPError:
        return False
