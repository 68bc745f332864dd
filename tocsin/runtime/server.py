"""Serves an app on a socket, in the loop that runs already, without touching signals."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI

from tocsin.net.listening import bound

_GRACE_SECONDS = 10


class _Server(uvicorn.Server):
    """uvicorn, which otherwise would take the signals that are the host's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


def listen(host: str, port: int, *, key: str | None = None) -> socket.socket:
    """Return a bound socket. Raises SettingsError, naming the setting `key` if any, where the port cannot be had."""
    other = f"another with TOCSIN__{key.replace('.', '__').upper()}=8081" if key else "another port"
    return bound(host, port, advice=f". Stop that program, or choose {other}")


@asynccontextmanager
async def serving(app: FastAPI, listening: socket.socket) -> AsyncIterator[str]:
    """Serve the app until the block is left; yields its URL. Requests under way then have 10 s to end."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=False,  # nothing here asks where a request came from
        timeout_graceful_shutdown=_GRACE_SECONDS,
        backlog=2048,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listening]), name="tocsin-http")
    try:
        while not server.started:
            if task.done():
                await task
            await asyncio.sleep(0.005)
        yield url_of(listening)
    finally:
        server.should_exit = True
        await task


class Serving:
    """Fulfils `Loop`: an app on a port of its own, for a program beside the gateway."""

    def __init__(self, app: FastAPI, listening: socket.socket, *, name: str) -> None:
        self.name = name
        self._app = app
        self._listening = listening
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """See `Loop`."""
        async with serving(self._app, self._listening):
            await self._stopping.wait()

    def stop(self) -> None:
        """See `Loop`."""
        self._stopping.set()


def url_of(listening: socket.socket) -> str:
    """Return the URL of what is served on a socket."""
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
