"""The peer of the provider `apns`: an HTTP/2 server."""

import ssl
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import msgspec

from tests.contract.providers.harness import Answer, Sent
from tests.unit.push.scripted_h2 import Heard, ScriptedH2, serving
from tests.unit.push.scripted_h2 import Peer as Connection

_REPLIES: Mapping[Answer, tuple[int, str]] = {
    Answer.NO_SUCH_ADDRESS: (410, "Unregistered"),
    Answer.BAD_MESSAGE: (400, "BadCollapseId"),
    Answer.WRONG_SECRET: (403, "InvalidProviderToken"),
    Answer.TOO_FAST: (429, "TooManyRequests"),
    Answer.BUSY: (503, "ServiceUnavailable"),
}


class ApnsPeer:
    """Implements `harness.Peer`."""

    def __init__(self, server: ScriptedH2) -> None:
        self.port = server.port
        self._server = server
        self._next: deque[Answer] = deque()
        self._sent: list[Sent] = []
        self._held: list[tuple[Connection, Heard, int]] = []
        server.on_request = self._answer

    @property
    def sent(self) -> Sequence[Sent]:
        """See `Peer`."""
        return self._sent

    @property
    def connections(self) -> int:
        """See `Peer`."""
        return len(self._server.peers)

    @property
    def open(self) -> int:
        """See `Peer`."""
        return sum(not each.lost.is_set() for each in self._server.peers)

    @property
    def holds(self) -> bool:
        """See `Peer`."""
        return bool(self._held)

    def next(self, answer: Answer) -> None:
        """See `Peer`."""
        self._next.append(answer)

    def release(self) -> None:
        """See `Peer`."""
        for connection, request, number in self._held:
            if request.stream not in connection.resets:
                _take(connection, request, number)
        self._held.clear()

    def _answer(self, connection: Connection, request: Heard) -> None:
        self._sent.append(Sent(headers=request.headers, body=request.body))
        answer, number = self._next.popleft() if self._next else Answer.TAKEN, len(self._sent)
        match answer:
            case Answer.TAKEN:
                _take(connection, request, number)
            case Answer.HELD:
                self._held.append((connection, request, number))
            case Answer.NONSENSE:
                connection.answer(request.stream, 500, b"<html>")
            case Answer.GARBAGE:
                connection.transport.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            case Answer.CUT:
                connection.transport.abort()
            case Answer.SILENCE:
                pass
            case _:
                _refuse(connection, request, *_REPLIES[answer])


def _take(connection: Connection, request: Heard, number: int) -> None:
    connection.answer(request.stream, 200, b"", **{"apns-id": f"id-{number}"})


def _refuse(connection: Connection, request: Heard, status: int, reason: str) -> None:
    # 410: since when the device is gone, in ms; long after the push.
    body = {"reason": reason, "timestamp": 4_000_000_000_000}
    connection.answer(request.stream, status, msgspec.json.encode(body), **{"retry-after": "7"})


@asynccontextmanager
async def apns_peer(tls: ssl.SSLContext) -> AsyncIterator[ApnsPeer]:
    """Run a peer."""
    tls.set_alpn_protocols(["h2"])
    async with serving(tls=tls) as server:
        yield ApnsPeer(server)
