"""A way to a server on loopback that can be shut: who knocks then is refused, and the port stays ours."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.tcp_proxy import TcpProxy

_HOST = "127.0.0.1"


class Door:
    """Open at first. `url` is where it is."""

    def __init__(self, port: int) -> None:
        self._proxy = TcpProxy(lambda: asyncio.open_connection(_HOST, port))
        self._server: asyncio.Server | None = None
        # Bound and never listening: nobody else gets the port while the door is shut, and the system refuses calls.
        self._place = _bound(0)
        self.port: int = self._place.getsockname()[1]

    @property
    def host(self) -> str:
        """Host and port."""
        return f"{_HOST}:{self.port}"

    async def open(self) -> None:
        """Let everybody through."""
        self._server = await asyncio.start_server(self._proxy.accept, sock=_bound(self.port))

    async def shut(self) -> None:
        """Cut who is inside, and refuse who comes."""
        if self._server is not None:
            self._server.close()
            self._proxy.reset()
            await self._proxy.close()
            await self._server.wait_closed()
            self._server = None

    async def aclose(self) -> None:
        """Shut it for good."""
        await self.shut()
        self._place.close()


@asynccontextmanager
async def door(port: int) -> AsyncIterator[Door]:
    """Put a door in front of a port, open."""
    made = Door(port)
    try:
        await made.open()
        yield made
    finally:
        await made.aclose()


def _bound(port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((_HOST, port))
    return made
