"""One HTTP/2 connection (RFC 9113) of asyncio, that knows of each request what became of it.

A GOAWAY ends nothing that the peer still works on: no stream is opened any more, those up to the last one it names are
finished, those above it were not worked on and may be made again elsewhere. What is under way when the connection
breaks may or may not have been worked on. What is sent in one turn of the loop leaves in one piece.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import cast

from channels.push.h2_deadlines import Deadlines
from channels.push.h2_fields import Headers
from channels.push.h2_frames import Fault
from channels.push.h2_machine import ClientMachine, UsedUp
from channels.push.h2_stream import End, Stream, Unprocessed
from tocsin.net.http import Answer, NotSent

_PING = b"tocsin\x00\x00"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionPolicy:
    """Bounds of a connection. Times in seconds.

    `streams` bounds the requests at a time, as does the peer. After `ping_after` of silence the peer is asked whether
    it is there, and has `ping_timeout` to say something.
    """

    streams: int
    ping_after: float
    ping_timeout: float


class Http2Connection(asyncio.Protocol):
    """A client's connection. `on_change` is called when streams may have become free and when the connection ends.

    `ready` is done when the peer's settings are there (RFC 9113 section 3.4), or raises NotSent. From then on:
    `hold` a free stream, then either `let_go` or `exchange`, once.
    """

    def __init__(self, policy: ConnectionPolicy, on_change: Callable[[], None]) -> None:
        self._policy = policy
        self._on_change = on_change
        self._loop = asyncio.get_running_loop()
        self._machine = ClientMachine()
        self._deadlines = Deadlines(self._machine.streams, self._loop)
        self._held = 0
        self._leaving = False
        self._flushing: asyncio.Handle | None = None
        self._heard_at = 0.0
        self._asked = False
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None
        self.ready: asyncio.Future[None] = self._loop.create_future()
        self.closed: asyncio.Future[None] = self._loop.create_future()

    @property
    def has_answered(self) -> bool:
        """Whether it was of any use yet."""
        return self._machine.has_answered

    @property
    def usable(self) -> bool:
        """Whether it takes requests."""
        return not self._leaving and not self.closed.done()

    @property
    def busy(self) -> int:
        """How many streams are open or held."""
        return len(self._machine.streams) + self._held

    @property
    def has_room(self) -> bool:
        """Whether a stream can be held."""
        return self.usable and self.busy < min(self._policy.streams, self._machine.most_streams)

    def hold(self) -> None:
        """Keep a stream for a request. Only while `has_room`."""
        self._held += 1

    def let_go(self) -> None:
        """Give a held stream back: there will be no request."""
        self._held -= 1
        self._changed()

    async def exchange(self, headers: Headers, body: bytes, *, deadline: float) -> Answer:
        """Make a request on the stream that is held, and return its answer. `deadline` is a time of `loop.time()`.

        Raises Unprocessed; NotSent if the deadline has passed; Unanswered if no whole answer came in time or the
        connection broke. When cancelled, as after the deadline, it resets its own stream and leaves the others alone.
        """
        answer: asyncio.Future[Answer] = self._loop.create_future()
        stream = self._open(headers, body, deadline, answer)
        try:
            return await answer
        finally:
            if self._machine.forget(stream):
                self._flush_soon()
                self._changed()

    async def aclose(self, patience: float) -> None:
        """Say good-bye and close; cut the connection if the peer takes more than `patience` seconds over it."""
        self._leave()
        if not self.closed.done():
            await asyncio.wait([self.closed], timeout=patience)
        self.abort("closed")

    def abort(self, why: str) -> None:
        """Cut the connection. What is under way is Unanswered."""
        self._lose(why)
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        # A cast, because uvloop's transports are no subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._flush()
        self._heard_at = self._loop.time()
        self._look_in(self._policy.ping_after)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        if self.closed.done():
            return
        self._heard_at = self._loop.time()
        if self._asked:
            self._asked = False
            self._look_in(self._policy.ping_after)
        try:
            self._machine.receive(data)
        except Fault as fault:
            self._flush()
            self.abort(f"protocol_error: {fault.code.name}")
            return
        self._leaving = self._leaving or self._machine.leaving
        if self._machine.greeted and not self.ready.done():
            self.ready.set_result(None)
        self._flush_soon()
        self._changed()

    def eof_received(self) -> None:
        """See `asyncio.Protocol`. Over TLS it takes some turns of the loop more until the connection is lost: what is
        begun in them would never leave, and nobody could say so."""
        self._leaving = True
        self._on_change()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._lose("connection_lost")
        if exc is None or isinstance(exc, OSError):
            return
        self._loop.call_exception_handler({"message": "an HTTP/2 connection failed", "exception": exc})

    def _open(self, headers: Headers, body: bytes, deadline: float, answer: asyncio.Future[Answer]) -> Stream:
        self._held -= 1
        if self._transport is None or self._transport.is_closing():
            self._leaving = True
        if not self.usable:
            self._changed()
            raise Unprocessed("the connection is closing")
        if self._loop.time() >= deadline:
            self._changed()
            raise NotSent("deadline")
        if len(self._machine.streams) >= self._machine.most_streams:
            # The peer lowered its limit after the stream was held.
            raise Unprocessed("too many streams")
        try:
            stream = self._machine.open(headers, body, deadline=deadline, on_end=partial(_settle, answer))
        except UsedUp:
            self._leave()
            raise Unprocessed("the connection is used up") from None
        self._deadlines.watch(stream)
        self._flush_soon()
        return stream

    def _changed(self) -> None:
        """Tell that streams may be free; close once nothing is under way on a connection that is leaving."""
        if self._leaving and not self.busy:
            self._leave()
        self._on_change()

    def _leave(self) -> None:
        self._leaving = True
        if self._transport is None or self._transport.is_closing() or self.closed.done():
            return
        if not self.busy:
            self._machine.close()
            self._flush()
            self._transport.close()

    def _flush_soon(self) -> None:
        """Send at the end of this turn of the loop, together with what else comes to be sent in it."""
        if self._flushing is None:
            self._flushing = self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        data = self._machine.outgoing()
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _look(self) -> None:
        """Ask a peer that is silent whether it is there; give it up if it stays silent."""
        silent = self._loop.time() - self._heard_at
        if self._asked:
            self.abort("ping_timeout")
            return
        if silent >= self._policy.ping_after:
            self._asked = True
            self._machine.ping(_PING)
            self._flush()
            self._look_in(self._policy.ping_timeout)
        else:
            self._look_in(self._policy.ping_after - silent)

    def _look_in(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self._look)

    def _lose(self, why: str) -> None:
        if self.closed.done():
            return
        self.closed.set_result(None)
        if self._timer is not None:
            self._timer.cancel()
        if not self.ready.done():
            self.ready.set_exception(NotSent(why))
            self.ready.exception()  # seen, though nobody may be waiting for it any more
        self._deadlines.stop()
        for stream in self._machine.streams.values():
            stream.lose()
        self._machine.streams.clear()
        self._on_change()


def _settle(answer: asyncio.Future[Answer], end: End) -> None:
    if answer.done():  # whoever waited was cancelled
        return
    if isinstance(end, Answer):
        answer.set_result(end)
    else:
        answer.set_exception(end)
        answer.exception()  # seen, though who waits for it may be cancelled in the same turn
