"""One HTTP/2 connection (RFC 9113), directly on h2 and asyncio, that knows of each request what became of it.

A GOAWAY ends nothing that the peer still works on: no stream is opened any more, those up to the last one it names are
finished, those above it were not worked on and may be made again elsewhere. What is under way when the connection
breaks may or may not have been worked on.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)
from h2.exceptions import NoAvailableStreamIDError, ProtocolError, StreamClosedError, TooManyStreamsError

from channels.push.h2_machine import PatientH2Connection
from channels.push.h2_stream import Stream, Unprocessed
from tocsin.net.http import Answer, NotSent, Unanswered

Headers = Sequence[tuple[str, str]]

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
        self._h2 = PatientH2Connection()
        self._streams: dict[int, Stream] = {}
        self._held = 0
        self._leaving = False
        self._heard_at = 0.0
        self._asked = False
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None
        self.ready: asyncio.Future[None] = self._loop.create_future()
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self.has_answered = False

    @property
    def usable(self) -> bool:
        """Whether it takes requests."""
        return not self._leaving and not self.closed.done()

    @property
    def busy(self) -> int:
        """How many streams are open or held."""
        return len(self._streams) + self._held

    @property
    def has_room(self) -> bool:
        """Whether a stream can be held."""
        return self.usable and self.busy < min(self._policy.streams, self._h2.remote_settings.max_concurrent_streams)

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
        stream = self._open(headers, body, deadline)
        try:
            async with asyncio.timeout_at(deadline):
                return await stream.answer
        except TimeoutError:
            if stream.has_ended:  # in the same turn
                return stream.answer.result()
            raise Unanswered(stream.phase) from None
        finally:
            self._finish(stream)

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
        self._h2.initiate_connection()
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
            events = self._h2.receive_data(data)
        except ProtocolError as error:
            self._flush()
            self.abort(f"protocol_error: {type(error).__name__}")
            return
        for event in events:
            self._take(event)
        # After all of them: a stream that a window was opened for may be reset by a later frame of the same piece.
        self._resume()
        self._flush()
        self._changed()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._lose("connection_lost")
        if exc is None or isinstance(exc, OSError):
            return
        self._loop.call_exception_handler({"message": "an HTTP/2 connection failed", "exception": exc})

    def _open(self, headers: Headers, body: bytes, deadline: float) -> Stream:
        self._held -= 1
        if not self.usable:
            self._changed()
            raise Unprocessed("the connection is closing")
        if self._loop.time() >= deadline:
            self._changed()
            raise NotSent("deadline")
        try:
            stream_id = self._h2.get_next_available_stream_id()
            self._h2.send_headers(stream_id, headers, end_stream=not body)
        except TooManyStreamsError:
            # The peer lowered its limit after the stream was held.
            raise Unprocessed("too many streams") from None
        except NoAvailableStreamIDError:
            self._leave()
            raise Unprocessed("the connection is used up") from None
        stream = Stream(stream_id, body, self._loop.create_future())
        self._streams[stream_id] = stream
        self._send(stream)
        self._flush()
        return stream

    def _send(self, stream: Stream) -> None:
        """Send as much of the body as the peer's windows take; nothing more on a stream that the peer has reset."""
        with suppress(StreamClosedError):
            while stream.unsent:
                room = min(self._h2.local_flow_control_window(stream.id), self._h2.max_outbound_frame_size)
                if room <= 0:
                    return
                self._h2.send_data(stream.id, bytes(stream.unsent[:room]), end_stream=room >= len(stream.unsent))
                stream.unsent = stream.unsent[room:]

    def _finish(self, stream: Stream) -> None:
        """Forget a stream; reset it unless both sides have ended it."""
        if self._streams.pop(stream.id, None) is None:
            return
        if not self.closed.done():
            with suppress(StreamClosedError):
                self._h2.reset_stream(stream.id, ErrorCodes.CANCEL)
            self._flush()
        self._changed()

    def _take(self, event: Event) -> None:
        match event:
            case RemoteSettingsChanged():
                if not self.ready.done():
                    self.ready.set_result(None)
            case ConnectionTerminated(last_stream_id=last):
                self._go_away(last or 0)
            case (
                ResponseReceived(stream_id=int(stream_id))
                | DataReceived(stream_id=int(stream_id))
                | StreamEnded(stream_id=int(stream_id))
                | StreamReset(stream_id=int(stream_id))
            ):
                self._take_of(stream_id, event)
            case _:
                pass

    def _take_of(self, stream_id: int, event: Event) -> None:
        """Take what came on a stream; one that was reset meanwhile is unknown."""
        stream = self._streams.get(stream_id)
        match event:
            case DataReceived(data=data, flow_controlled_length=length):
                self._h2.acknowledge_received_data(length or 0, stream_id)
                if stream is not None:
                    stream.receive(data or b"")
            case ResponseReceived(headers=headers) if stream is not None:
                stream.respond(headers)
            case StreamEnded() if stream is not None:
                self.has_answered = True
                stream.end()
                if not stream.unsent:
                    del self._streams[stream_id]
            case StreamReset(error_code=code) if stream is not None:
                del self._streams[stream_id]
                if code == ErrorCodes.REFUSED_STREAM:
                    stream.refuse("refused")
                else:
                    stream.lose()
            case _:
                pass

    def _resume(self) -> None:
        for stream in self._streams.values():
            self._send(stream)

    def _go_away(self, last: int) -> None:
        """The peer takes no new streams. The graceful form comes twice, first with the largest id there is."""
        self._leaving = True
        for stream_id in [stream_id for stream_id in self._streams if stream_id > last]:
            self._streams.pop(stream_id).refuse("goaway")

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
            self._h2.close_connection()
            self._flush()
            self._transport.close()

    def _flush(self) -> None:
        data = self._h2.data_to_send()
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
            self._h2.ping(_PING)
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
        streams, self._streams = self._streams, {}
        for stream in streams.values():
            stream.lose()
        self._on_change()
