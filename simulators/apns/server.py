"""The listening socket, in the running loop. Several servers may run side by side."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from simulators.apns.peer import Peer
from simulators.apns.service import Service
from tocsin.errors import SettingsError

_HANDSHAKE_SECONDS = 5.0


@asynccontextmanager
async def listening(service: Service, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[int]:
    """Serve HTTP/2 over TLS and yield the port that was bound (0: any free one).

    On leaving, every connection is cut. Raises SettingsError if the port cannot be bound.
    """
    open_: set[Peer] = set()
    loop = asyncio.get_running_loop()
    try:
        server = await loop.create_server(
            lambda: Peer(service, open_),
            host,
            port,
            ssl=service.credentials.server_context(),
            ssl_handshake_timeout=_HANDSHAKE_SECONDS,
        )
    except OSError as error:
        raise SettingsError(f"the APNs simulator cannot listen on {host}:{port}: {error.strerror}") from error
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for peer in tuple(open_):
            peer.hang_up()
        await server.wait_closed()
        await asyncio.sleep(0)  # the loop closes aborted sockets in its next turn
