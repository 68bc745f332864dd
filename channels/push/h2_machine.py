"""A client's side of HTTP/2 (RFC 9113) without the network: bytes in, bytes out, and an end for each request.

A GOAWAY ends nothing that the peer still works on. The peer pushes nothing, by our settings; padding, priorities,
trailers and what it says before its answer are taken and left aside.
"""

from collections.abc import Callable
from typing import Final

from channels.push import h2_fields, h2_frames
from channels.push.h2_fields import Encoder, Headers, Malformed
from channels.push.h2_frames import LARGEST, MOST_PAYLOAD, ErrorCode, Fault, Flag, Frame, FrameReader, Kind, Setting
from channels.push.h2_hpack import MOST_SECTION, MOST_TABLE, SectionDecoder
from channels.push.h2_stream import End, Stream
from channels.push.h2_windows import INITIAL, Credit, grown

_OURS = {Setting.ENABLE_PUSH: 0, Setting.MAX_HEADER_LIST_SIZE: MOST_SECTION}
_PAYLOADS: Final = range(MOST_PAYLOAD, 2**24)
_GO_AWAY_BYTES: Final = 8
_INFORMATIONAL = range(100, 200)


class UsedUp(Exception):
    """All stream ids of the connection have been used."""


class ClientMachine:
    """The state of a connection. What is to be sent gathers until `outgoing` is called.

    `greeted`: the peer's settings are there. `leaving`: it sent a GOAWAY. `most_streams` is its limit.
    """

    def __init__(self) -> None:
        self.streams: dict[int, Stream] = {}
        self.greeted = False
        self.leaving = False
        self.has_answered = False
        self.most_streams = LARGEST
        self._last_id = -1
        # Streams whose body waits for a window, in their order.
        self._waiting: dict[int, Stream] = {}
        self._window = self._stream_window = INITIAL
        self._most_payload = MOST_PAYLOAD
        self._credit = Credit()
        self._reader = FrameReader()
        self._encoder = Encoder()
        self._decoder = SectionDecoder()
        # The HEADERS frame that CONTINUATIONs are to follow, and what has come of its section.
        self._opening: Frame | None = None
        self._section = b""
        self._outgoing = [h2_frames.PREFACE, h2_frames.settings(_OURS)]
        self._takers: dict[int, Callable[[Frame], None]] = {
            Kind.DATA: self._take_data,
            Kind.HEADERS: self._take_headers,
            Kind.PRIORITY: self._take_priority,
            Kind.RST_STREAM: self._take_reset,
            Kind.SETTINGS: self._take_settings,
            Kind.PUSH_PROMISE: self._take_push_promise,
            Kind.PING: self._take_ping,
            Kind.GOAWAY: self._take_go_away,
            Kind.WINDOW_UPDATE: self._take_window_update,
            Kind.CONTINUATION: self._take_continuation,
        }

    def outgoing(self) -> bytes:
        """Return what is to be sent, once."""
        made = b"".join(self._outgoing)
        self._outgoing.clear()
        return made

    def open(self, headers: Headers, body: bytes, *, deadline: float, on_end: Callable[[End], None]) -> Stream:
        """Make a request. Raises UsedUp, and ValueError for headers that HTTP/2 has not."""
        if self._last_id + 2 > LARGEST:
            raise UsedUp
        block = self._encoder.encode(headers)
        self._last_id += 2
        stream = Stream(self._last_id, body, window=self._stream_window, deadline=deadline, on_end=on_end)
        self.streams[stream.id] = stream
        opening = h2_frames.header_section(stream.id, block, ends=not body, most=self._most_payload)
        self._outgoing.append(opening)
        if body:
            self._send_body(stream)
        return stream

    def forget(self, stream: Stream) -> bool:
        """Reset a stream if it is not over, whatever of it is still to come. Return whether it was not."""
        if self._drop(stream.id) is None:
            return False
        self._outgoing.append(h2_frames.reset(stream.id, ErrorCode.CANCEL))
        return True

    def ping(self, data: bytes) -> None:
        """Ask the peer for a sign of life. `data` is of eight octets."""
        self._outgoing.append(h2_frames.frame(Kind.PING, 0, 0, data))

    def close(self) -> None:
        """Say good-bye."""
        self._outgoing.append(h2_frames.go_away(ErrorCode.NO_ERROR))

    def receive(self, data: bytes) -> None:
        """Take what came. Raises Fault, with the peer's GOAWAY ready to be sent: the connection is over."""
        try:
            for frame in self._reader.read(data):
                self._take(frame)
        except Fault as fault:
            self._outgoing.append(h2_frames.go_away(fault.code))
            raise
        # After all of them: a stream that a window was opened for may be reset by a later frame of the same piece.
        for stream in list(self._waiting.values()):
            self._send_body(stream)

    def _take(self, frame: Frame) -> None:
        kind = frame.kind
        if (self._opening is not None) != (kind == Kind.CONTINUATION):
            raise Fault(ErrorCode.PROTOCOL_ERROR)
        if not self.greeted and kind != Kind.SETTINGS:  # section 3.4
            raise Fault(ErrorCode.PROTOCOL_ERROR)
        if taker := self._takers.get(kind):
            taker(frame)

    def _take_data(self, frame: Frame) -> None:
        stream = self._stream(frame)
        size = len(frame.payload)
        if back := self._credit.spend(size):
            self._outgoing.append(h2_frames.window_update(0, back))
        data = frame.content()
        if stream is None:
            return
        if not stream.responded:
            self._break(stream)
            return
        stream.receive(data)
        if frame.flags & Flag.END_STREAM:
            self._end(stream)
        elif back := stream.credit.spend(size):
            self._outgoing.append(h2_frames.window_update(stream.id, back))

    def _take_headers(self, frame: Frame) -> None:
        self._stream(frame)
        content = frame.content()
        if frame.flags & Flag.END_HEADERS:
            self._take_section(frame, content)
        else:
            self._opening, self._section = frame, content

    def _take_continuation(self, frame: Frame) -> None:
        opening = self._opening
        if opening is None or frame.stream_id != opening.stream_id:
            raise Fault(ErrorCode.PROTOCOL_ERROR)
        self._section += frame.payload
        if len(self._section) > MOST_SECTION:
            raise Fault(ErrorCode.ENHANCE_YOUR_CALM)
        if frame.flags & Flag.END_HEADERS:
            content, self._opening, self._section = self._section, None, b""
            self._take_section(opening, content)

    def _take_section(self, frame: Frame, block: bytes) -> None:
        """Take a header section. One of a stream that is over is decoded too: the next ones may refer to it."""
        fields = self._decoder.decode(block)
        stream = self.streams.get(frame.stream_id)
        if stream is None:
            return
        ends = frame.flags & Flag.END_STREAM
        try:
            status, headers = h2_fields.section(fields)
        except Malformed:
            self._break(stream)
            return
        # An answer has one section with a status, what comes before it is informational, a trailer ends it.
        informs = status in _INFORMATIONAL
        if stream.responded != (status is None) or (ends and informs) or (status is None and not ends):
            self._break(stream)
            return
        if status is not None and not informs:
            stream.respond(status, headers)
        if ends:
            self._end(stream)

    def _take_priority(self, frame: Frame) -> None:
        if not frame.stream_id:
            raise Fault(ErrorCode.PROTOCOL_ERROR)

    def _take_reset(self, frame: Frame) -> None:
        stream = self._stream(frame)
        code = h2_frames.word(frame.payload)
        if stream is None:
            return
        self._drop(stream.id)
        if code == ErrorCode.REFUSED_STREAM:
            stream.refuse("refused")
        else:
            stream.lose()

    def _take_settings(self, frame: Frame) -> None:
        _demand_connection(frame)
        if frame.flags & Flag.ACK:
            if frame.payload:
                raise Fault(ErrorCode.FRAME_SIZE_ERROR)
            return
        for setting, value in h2_frames.settings_of(frame.payload):
            self._obey(setting, value)
        self.greeted = True
        self._outgoing.append(h2_frames.frame(Kind.SETTINGS, Flag.ACK, 0))

    def _obey(self, setting: int, value: int) -> None:
        match setting:
            case Setting.HEADER_TABLE_SIZE if value < MOST_TABLE:
                self._encoder.give_up_table()
            case Setting.MAX_CONCURRENT_STREAMS:
                self.most_streams = value
            case Setting.INITIAL_WINDOW_SIZE:
                if value > LARGEST:
                    raise Fault(ErrorCode.FLOW_CONTROL_ERROR)
                change, self._stream_window = value - self._stream_window, value
                for stream in self.streams.values():
                    stream.window = grown(stream.window, change)
            case Setting.MAX_FRAME_SIZE:
                if value not in _PAYLOADS:
                    raise Fault(ErrorCode.PROTOCOL_ERROR)
                self._most_payload = value
            case Setting.ENABLE_PUSH if value:  # a server's can only be 0 (section 6.5.2)
                raise Fault(ErrorCode.PROTOCOL_ERROR)
            case _:
                pass

    def _take_push_promise(self, frame: Frame) -> None:  # noqa: ARG002 - as all takers
        """Refuse: our settings say that there are none."""
        raise Fault(ErrorCode.PROTOCOL_ERROR)

    def _take_ping(self, frame: Frame) -> None:
        _demand_connection(frame)
        h2_frames.word(frame.payload, size=8)
        if not frame.flags & Flag.ACK:
            self._outgoing.append(h2_frames.frame(Kind.PING, Flag.ACK, 0, frame.payload))

    def _take_go_away(self, frame: Frame) -> None:
        """Open no stream any more. The graceful form comes twice, first with the largest id there is."""
        _demand_connection(frame)
        last = h2_frames.word(frame.payload[:4]) if len(frame.payload) >= _GO_AWAY_BYTES else None
        if last is None:
            raise Fault(ErrorCode.FRAME_SIZE_ERROR)
        self.leaving = True
        for stream in [stream for stream in self.streams.values() if stream.id > last]:
            self._drop(stream.id)
            stream.refuse("goaway")

    def _take_window_update(self, frame: Frame) -> None:
        octets = h2_frames.word(frame.payload)
        stream = self._stream(frame) if frame.stream_id else None
        if not octets:
            raise Fault(ErrorCode.PROTOCOL_ERROR)
        if not frame.stream_id:
            self._window = grown(self._window, octets)
        elif stream is not None:
            stream.window = grown(stream.window, octets)

    def _stream(self, frame: Frame) -> Stream | None:
        """Return the stream of a frame, None if it is over. Raises Fault if we never opened it."""
        stream = self.streams.get(frame.stream_id)
        if stream is None and (frame.stream_id % 2 == 0 or frame.stream_id > self._last_id):
            raise Fault(ErrorCode.PROTOCOL_ERROR)
        return stream

    def _end(self, stream: Stream) -> None:
        """The peer has said everything. If it did so before it has heard everything, it does not want the rest."""
        self.has_answered = True
        if stream.unsent:
            self._outgoing.append(h2_frames.reset(stream.id, ErrorCode.CANCEL))
        self._drop(stream.id)
        stream.end()

    def _break(self, stream: Stream) -> None:
        """End a stream on which the peer said what is no answer."""
        self._outgoing.append(h2_frames.reset(stream.id, ErrorCode.PROTOCOL_ERROR))
        self._drop(stream.id)
        stream.lose()

    def _drop(self, stream_id: int) -> Stream | None:
        self._waiting.pop(stream_id, None)
        return self.streams.pop(stream_id, None)

    def _send_body(self, stream: Stream) -> None:
        """Send as much of the body as the peer's windows take."""
        while (room := min(self._window, stream.window, self._most_payload)) > 0:
            piece, stream.unsent = stream.unsent[:room], stream.unsent[room:]
            self._window -= len(piece)
            stream.window -= len(piece)
            flags = 0 if stream.unsent else Flag.END_STREAM
            self._outgoing.append(h2_frames.frame(Kind.DATA, flags, stream.id, piece))
            if not stream.unsent:
                self._waiting.pop(stream.id, None)
                return
        self._waiting[stream.id] = stream


def _demand_connection(frame: Frame) -> None:
    """Raise Fault if a frame that is about the connection names a stream."""
    if frame.stream_id:
        raise Fault(ErrorCode.PROTOCOL_ERROR)
