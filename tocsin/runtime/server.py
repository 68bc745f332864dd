"""Serves an app on a socket, in the loop that runs already, without touching signals."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI

from tocsin.errors import SettingsError

_GRACE_SECONDS = 10


class _Server(uvicorn.Server):
    """uvicorn, which otherwise would take the signals that are the host's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


def listen(host: str, port: int, *, key: str | None = None) -> socket.socket:
    """Return a bound socket. Raises SettingsError, naming the setting `key` if any, where the port cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        why = "is in use by another program" if error.errno == errno.EADDRINUSE else f"cannot be had: {error.strerror}"
        other = f"another with TOCSIN__{key.replace('.', '__').upper()}=8081" if key else "another port"
        raise SettingsError(f"{host}:{port} {why}. Stop that program, or choose {other}") from None
    return listening


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
    host, port = listening.getsockname()[:2]
    try:
        while not server.started:
            if task.done():
                await task
            await asyncio.sleep(0.005)
        yield f"http://{f'[{host}]' if ':' in host else host}:{port}"
    finally:
        server.should_exit = True
        await task
