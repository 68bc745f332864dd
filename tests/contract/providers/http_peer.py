"""The peer of every provider that is called over HTTP."""

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from tests.contract.providers.harness import Answer, Sent
from tests.support.http_server import HttpServer, Received, Reply, serving

# What is the same for all: how there is no answer, or none that is HTTP.
_FAULTS: Mapping[Answer, Reply] = {
    Answer.GARBAGE: Reply(raw=b"\x00\x00\x12\x04garbage\r\n\r\n", close=True),
    Answer.CUT: Reply(fault="close_before_answer"),
    Answer.SILENCE: Reply(fault="hang"),
}


class HttpPeer:
    """Implements `harness.Peer`. `aside` answers what is no message, such as a request for a token."""

    def __init__(
        self,
        server: HttpServer,
        *,
        taken: Callable[[int], Reply],
        replies: Mapping[Answer, Reply],
        aside: Callable[[Received], Reply | None],
    ) -> None:
        self.port = server.port
        self._server = server
        self._taken = taken
        self._replies = {**_FAULTS, **replies}
        self._aside = aside
        self._next: deque[Answer] = deque()
        self._sent: list[Sent] = []
        self._held = asyncio.Event()
        self._holds = False
        server.default = self._answer

    @property
    def sent(self) -> Sequence[Sent]:
        """See `Peer`."""
        return self._sent

    @property
    def connections(self) -> int:
        """See `Peer`."""
        return self._server.connections

    @property
    def open(self) -> int:
        """See `Peer`."""
        return self._server.open

    @property
    def holds(self) -> bool:
        """See `Peer`."""
        return self._holds

    def next(self, answer: Answer) -> None:
        """See `Peer`."""
        self._next.append(answer)

    def release(self) -> None:
        """See `Peer`."""
        self._holds = False
        self._held.set()

    def _answer(self, received: Received) -> Reply:
        if (other := self._aside(received)) is not None:
            return other
        self._sent.append(Sent(headers=received.headers, body=received.body))
        answer = self._next.popleft() if self._next else Answer.TAKEN
        taken = self._taken(len(self._sent))
        if answer is Answer.HELD:
            self._holds = True
            return replace(taken, after=self._held)
        return taken if answer is Answer.TAKEN else self._replies[answer]


@asynccontextmanager
async def http_peer(
    tls: ssl.SSLContext,
    *,
    taken: Callable[[int], Reply],
    replies: Mapping[Answer, Reply],
    aside: Callable[[Received], Reply | None] = lambda _received: None,
) -> AsyncIterator[HttpPeer]:
    """Run a peer. `taken` is its answer to the message that it takes as its n-th."""
    async with serving(tls=tls) as server:
        yield HttpPeer(server, taken=taken, replies=replies, aside=aside)
