"""An HTTP/2 server over TLS that does with each request what a test tells it, down to single frames."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast

import trustme
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, PingAckReceived, PingReceived, RequestReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings
from hyperframe.frame import GoAwayFrame

LARGEST = 2**31 - 1


@cache
def authority() -> trustme.CA:
    return trustme.CA()


def server_tls(*, alpn: str = "h2") -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority().issue_cert("127.0.0.1").configure_cert(context)
    context.set_alpn_protocols([alpn])
    return context


@dataclass(kw_only=True)
class Heard:
    """A whole request."""

    stream: int
    headers: dict[str, str]
    body: bytes


class Peer(asyncio.Protocol):
    """One connection of the server."""

    def __init__(self, server: "ScriptedH2") -> None:
        self._server = server
        self._bodies: dict[int, bytearray] = {}
        self._headers: dict[int, dict[str, str]] = {}
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self.heard: list[Heard] = []
        self.resets: list[int] = []
        self.on_ping: Callable[[], None] = lambda: None
        self.mute = False
        self.last_stream = LARGEST
        self.lost = asyncio.Event()
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._server.peers.append(self)
        self._server.arrived.set()
        if self._server.settings is not None:
            self.h2.local_settings = Settings(client=False, initial_values=dict(self._server.settings))
            self.h2.initiate_connection()
            self.flush()
        self._server.greet(self)

    def data_received(self, data: bytes) -> None:
        if self.mute:
            return
        with suppress(ProtocolError):  # the client closed, and h2 has no state for what follows
            for event in self.h2.receive_data(data):
                match event:
                    case RequestReceived(stream_id=int(stream), headers=headers):
                        self._headers[stream] = dict(cast("list[tuple[str, str]]", headers))
                        self._bodies[stream] = bytearray()
                    case DataReceived(stream_id=int(stream), data=bytes(piece), flow_controlled_length=length):
                        self._bodies[stream] += piece
                        if self._server.opens_windows:
                            self.h2.acknowledge_received_data(length or 0, stream)
                    case StreamEnded(stream_id=int(stream)):
                        self._ended(stream)
                    case StreamReset(stream_id=int(stream)):
                        self.resets.append(stream)
                        self._server.was_reset.set()
                    case PingReceived() | PingAckReceived():
                        self.on_ping()
                    case _:
                        pass
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        self.lost.set()

    def answer(self, stream: int, status: int = 200, body: bytes = b"", **headers: str) -> None:
        self.h2.send_headers(stream, [(":status", str(status)), *headers.items()], end_stream=not body)
        if body:
            self.h2.send_data(stream, body, end_stream=True)
        self.flush()

    def reset(self, stream: int, code: ErrorCodes) -> None:
        self.h2.reset_stream(stream, code)
        self.flush()

    def go_away(self, last: int, code: ErrorCodes = ErrorCodes.NO_ERROR) -> None:
        """Send a GOAWAY and go on, which h2 cannot: the frame is made by hand."""
        self.last_stream = last
        self.flush()
        self.transport.write(GoAwayFrame(0, last_stream_id=last, error_code=code).serialize())

    def tell(self, settings: Mapping[SettingCodes, int]) -> None:
        self.h2.update_settings({code: value for code, value in settings.items()})  # noqa: C416 - of int, for h2
        self.flush()

    def flush(self) -> None:
        data = self.h2.data_to_send()
        for piece in self._server.cut_up(data):
            self.transport.write(piece)

    def _ended(self, stream: int) -> None:
        if stream > self.last_stream:
            return
        request = Heard(stream=stream, headers=self._headers[stream], body=bytes(self._bodies[stream]))
        self.heard.append(request)
        self._server.on_request(self, request)


def _answer(peer: Peer, request: Heard) -> None:
    peer.answer(request.stream)


@dataclass(kw_only=True)
class ScriptedH2:
    """`on_request` gets each whole request. Without `settings` the server is silent; `cut_up` splits its writes."""

    tls: ssl.SSLContext = field(default_factory=server_tls)
    settings: Mapping[SettingCodes, int] | None = field(default_factory=dict)
    on_request: Callable[[Peer, Heard], None] = _answer
    greet: Callable[[Peer], None] = lambda _peer: None
    cut_up: Callable[[bytes], list[bytes]] = lambda data: [data] if data else []
    opens_windows: bool = True
    port: int = 0
    peers: list[Peer] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    was_reset: asyncio.Event = field(default_factory=asyncio.Event)
    _server: asyncio.Server | None = None

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Peer(self), "127.0.0.1", self.port, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for peer in self.peers:
            peer.transport.abort()
        await self._server.wait_closed()
        await asyncio.sleep(0)

    @property
    def heard(self) -> list[Heard]:
        """Every request, by whichever connection it came."""
        return [request for peer in self.peers for request in peer.heard]


@asynccontextmanager
async def serving(**script: Any) -> AsyncIterator[ScriptedH2]:
    """Run a server until the block is left."""
    server = ScriptedH2(**script)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
