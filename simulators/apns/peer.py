"""One connection of the server: HTTP/2 on h2, and the ways in which it is sent away or broken."""

import asyncio
from contextlib import suppress
from functools import partial
from typing import cast

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, Event, PingAckReceived, RequestReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError, StreamClosedError
from h2.settings import SettingCodes, Settings
from hyperframe.frame import GoAwayFrame

from simulators.apns.service import Answer, Service
from tocsin.clock import Timer

_LARGEST = 2**31 - 1
_PING = b"goingawa"
_MOST_BODY = 64 * 1024


class Peer(asyncio.Protocol):
    """A connection. It stays in `open_` until it is closed."""

    def __init__(self, service: Service, open_: "set[Peer]") -> None:
        self._service = service
        self._open = open_
        self._h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self._requests: dict[int, tuple[dict[str, str], bytearray]] = {}
        self._authenticated = False
        self._pushes = 0
        self._last = 0
        self._takes_until = _LARGEST
        self._waiting: dict[int, Timer] = {}
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, with one stream at a time."""
        # A cast, because uvloop's transports are no subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._open.add(self)
        self._service.connections += 1
        self._h2.local_settings = Settings(client=False, initial_values={SettingCodes.MAX_CONCURRENT_STREAMS: 1})
        self._h2.initiate_connection()
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        try:
            events = self._h2.receive_data(data)
        except ProtocolError:
            # The client said GOAWAY, after which h2 takes nothing, or is at fault.
            self._flush()
            self._transport.close()
            return
        for event in events:
            self._take(event)
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        """Forget the connection, and what was to be answered over it."""
        self._open.discard(self)
        for timer in self._waiting.values():
            timer.cancel()

    def hang_up(self) -> None:
        """Close without a word."""
        self._transport.abort()

    def _take(self, event: Event) -> None:
        match event:
            case RequestReceived(stream_id=int(stream), headers=headers):
                self._requests[stream] = (dict(cast("list[tuple[str, str]]", headers)), bytearray())
            case DataReceived(stream_id=int(stream), data=data, flow_controlled_length=length):
                self._h2.acknowledge_received_data(length or 0, stream)
                if stream in self._requests and len(self._requests[stream][1]) < _MOST_BODY:
                    self._requests[stream][1].extend(data or b"")
            case StreamEnded(stream_id=int(stream)) if stream in self._requests:
                self._serve(stream, *self._requests.pop(stream))
            case StreamReset(stream_id=int(stream)):
                self._requests.pop(stream, None)
            case PingAckReceived(ping_data=data) if data == _PING:
                self._go_away(self._last)
            case _:
                pass

    def _serve(self, stream: int, headers: dict[str, str], body: bytearray) -> None:
        if stream > self._takes_until:
            return
        self._last = max(self._last, stream)
        self._admit(headers)
        found = self._service.answer(headers, bytes(body))
        if isinstance(found, Answer) and found.delay:
            self._waiting[stream] = self._service.later(found.delay, partial(self._answer_late, stream, found))
        elif isinstance(found, Answer):
            self._answer(stream, found)
        elif found.refuse_stream:
            with suppress(StreamClosedError):
                self._h2.reset_stream(stream, ErrorCodes.REFUSED_STREAM)
        else:
            self._transport.abort()
            return
        self._count()

    def _admit(self, headers: dict[str, str]) -> None:
        """Allow more streams with the first request that proves who the client is."""
        if not self._authenticated and self._service.authenticates(headers):
            self._authenticated = True
            self._h2.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: self._service.behaviour.max_streams})

    def _answer(self, stream: int, answer: Answer) -> None:
        headers = [(":status", str(answer.status)), *answer.headers.items()]
        with suppress(StreamClosedError):  # the client reset it in the same breath
            self._h2.send_headers(stream, headers, end_stream=not answer.body)
            if answer.body:
                self._h2.send_data(stream, answer.body, end_stream=True)

    def _answer_late(self, stream: int, answer: Answer) -> None:
        del self._waiting[stream]
        self._answer(stream, answer)
        self._flush()

    def _count(self) -> None:
        self._pushes += 1
        behaviour = self._service.behaviour
        if self._pushes != behaviour.goaway_every:
            return
        if behaviour.goaway_form == "at_once":
            self._go_away(self._last)
        else:
            self._say_goaway(_LARGEST)
            # Its answer says that the client has heard the first one.
            self._h2.ping(_PING)

    def _go_away(self, last: int) -> None:
        self._takes_until = last
        self._say_goaway(last)

    def _say_goaway(self, last: int) -> None:
        """Send a GOAWAY and go on: h2 cannot, so the frame is made by hand."""
        self._flush()
        self._transport.write(GoAwayFrame(0, last_stream_id=last, error_code=ErrorCodes.NO_ERROR).serialize())

    def _flush(self) -> None:
        data = self._h2.data_to_send()
        if data and not self._transport.is_closing():
            self._transport.write(data)
