"""A TCP connection that can be mistreated on its way: slow, silent, cut in the middle of a message, reset."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], Awaitable[Streams]]

_CHUNK = 64 * 1024
# Closing a socket that lingers for no time sends RST, as a firewall or a host that is gone does, instead of FIN.
_RESET = struct.pack("ii", 1, 0)


class TcpProxy:
    """Passes bytes both ways, as it is told at the time. One proxy, one way to a server.

    `latency`: seconds by which all that is passed is held back, in each direction. `cut_after`: connections made from
    now on are reset after so many bytes, wherever in a message that is. `cuts`: how many were.
    """

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._passing = asyncio.Event()
        self._passing.set()
        self.latency = 0.0
        self.cut_after: int | None = None
        self.cuts = 0

    @property
    def silent(self) -> bool:
        """Whether nothing gets through and nobody is told, as where packets are dropped. What was sent comes later."""
        return not self._passing.is_set()

    @silent.setter
    def silent(self, value: bool) -> None:
        if value:
            self._passing.clear()
        else:
            self._passing.set()

    def reset(self) -> None:
        """Reset all connections that are open."""
        for writer in list(self._open):
            self._abort(writer)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until it ends."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._open.add(writer)
        try:
            await self._passing.wait()
            there, back = await self._connect()
            self._open.add(back)
            try:
                await self._served(reader, writer, there, back)
            finally:
                self._close(back)
        except OSError:
            self._abort(writer)  # the server is away: to whoever connects here it looks the same
        finally:
            self._close(writer)
            self._tasks.discard(task)

    async def close(self) -> None:
        """End what is open."""
        # Nothing is cancelled: asyncio's streams log a connection's task that was.
        self._passing.set()
        while self._tasks:
            self.reset()
            await asyncio.wait(self._tasks, timeout=1)

    async def _served(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        there: asyncio.StreamReader,
        back: asyncio.StreamWriter,
    ) -> None:
        allowed = [self.cut_after]
        pumps = [
            asyncio.create_task(self._pump(reader, back, allowed)),
            asyncio.create_task(self._pump(there, writer, allowed)),
        ]
        try:
            # Neither side of what we carry goes on when the other has closed.
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            ended = await asyncio.gather(*pumps, return_exceptions=True)
        if any(isinstance(each, OSError) for each in ended):
            self._abort(writer)
            self._abort(back)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, allowed: list[int | None]
    ) -> None:
        while chunk := await reader.read(_CHUNK):
            if self.latency:
                await asyncio.sleep(self.latency)
            await self._passing.wait()
            left = allowed[0]
            writer.write(chunk if left is None else chunk[:left])
            await writer.drain()
            if left is not None:
                allowed[0] = max(0, left - len(chunk))
                if left <= len(chunk):
                    self.cuts += 1
                    raise ConnectionAbortedError

    def _abort(self, writer: asyncio.StreamWriter) -> None:
        found = writer.get_extra_info("socket")
        # A socket of another family knows no RST.
        if found is not None and found.family == socket.AF_INET:
            with contextlib.suppress(OSError):
                found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        writer.transport.abort()

    def _close(self, writer: asyncio.StreamWriter) -> None:
        self._open.discard(writer)
        writer.close()


@asynccontextmanager
async def proxying(connect: Connect, *, port: int = 0) -> AsyncIterator[tuple[TcpProxy, int]]:
    """Listen on a port, 0: any free one; yield the proxy and the port."""
    proxy = TcpProxy(connect)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", port)
    try:
        yield proxy, int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await proxy.close()
        await server.wait_closed()
