"""An HTTP/1.1 server on loopback that records requests and answers them as a test tells it, faults included."""

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Literal

Fault = Literal["close_before_answer", "close_after_headers", "close_in_body", "hang"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A request. The names of `headers` are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer, or how there is none.

    It waits for `after`, then for `delay` seconds. `close` closes the connection after it. `raw` is written as it is
    instead of `status`, `headers` and `body`. Faults:
    `close_before_answer`: the request was read, nothing is written; `close_after_headers`: the body is missing;
    `close_in_body`: half of it is; `hang`: nothing is written until the client goes.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    raw: bytes | None = None
    delay: float = 0.0
    after: asyncio.Event | None = None
    close: bool = False
    fault: Fault | None = None


@dataclass(kw_only=True)
class HttpServer:
    """`replies` holds the answers to come, in order; when they are used up, `default` answers."""

    port: int = 0
    scheme: str = "http"
    replies: deque[Reply] = field(default_factory=deque)
    default: Reply | Callable[[Received], Reply] = field(default_factory=Reply)
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    open: int = 0
    most_open: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        """The server's URL, without a slash at its end."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until it ends."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            while (request := await _request(reader)) is not None:
                self.received.append(request)
                self.arrived.set()
                if not await self._answer(request, reader, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, asyncio.CancelledError):
            pass
        finally:
            self.open -= 1
            self._tasks.discard(task)
            writer.transport.abort()

    async def stop(self) -> None:
        """Close every connection."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _answer(self, request: Received, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer a request; return whether another may follow."""
        reply = self._reply(request)
        if reply.after is not None:
            await reply.after.wait()
        await asyncio.sleep(reply.delay)
        if reply.fault == "hang":
            await reader.read()
            return False
        if reply.fault == "close_before_answer":
            return False
        writer.write(_encoded(reply, request) if reply.raw is None else reply.raw)
        await writer.drain()
        if reply.fault is not None or reply.close:
            writer.close()
            await writer.wait_closed()
            return False
        return True

    def _reply(self, request: Received) -> Reply:
        if self.replies:
            return self.replies.popleft()
        return self.default if isinstance(self.default, Reply) else self.default(request)


async def _request(reader: asyncio.StreamReader) -> Received | None:
    """Return the next request; None if the client has closed."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    start, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    method, target, _ = start.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(method=method, target=target, headers=headers, body=body)


def _encoded(reply: Reply, request: Received) -> bytes:
    lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in reply.headers.items()]
    lines.append(f"Content-Length: {len(reply.body)}")
    if reply.close:
        lines.append("Connection: close")
    body = reply.body
    if reply.fault == "close_after_headers" or request.method == "HEAD":
        body = b""
    elif reply.fault == "close_in_body":
        body = body[: len(body) // 2]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


@asynccontextmanager
async def serving(*, tls: ssl.SSLContext | None = None) -> AsyncIterator[HttpServer]:
    """Listen on a free port of 127.0.0.1 and yield the server."""
    serves = HttpServer(scheme="https" if tls else "http")
    server = await asyncio.start_server(serves.accept, "127.0.0.1", 0, ssl=tls)
    serves.port = int(server.sockets[0].getsockname()[1])
    try:
        yield serves
    finally:
        server.close()
        await serves.stop()
        await server.wait_closed()
