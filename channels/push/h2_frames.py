"""The frames of HTTP/2 (RFC 9113, sections 4 and 6): cut out of the bytes that come, and made. Pure."""

from collections.abc import Iterator, Mapping
from enum import IntEnum
from struct import Struct
from typing import Final, NamedTuple

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
# The largest payload as long as nobody has said otherwise, which we do not.
MOST_PAYLOAD: Final = 16_384
LARGEST: Final = 2**31 - 1

_HEAD = Struct(">HBBBL")
_HEAD_BYTES: Final = 9
_PRIORITY_BYTES: Final = 5
_SETTING = Struct(">HL")
_WORD = Struct(">L")
_TWO_WORDS = Struct(">LL")


# Kinds and flags are bare numbers: they are looked at a dozen times for each request, and an enum's members are slow.
class Kind:
    """What a frame is for. Others are to be ignored."""

    DATA: Final = 0
    HEADERS: Final = 1
    PRIORITY: Final = 2
    RST_STREAM: Final = 3
    SETTINGS: Final = 4
    PUSH_PROMISE: Final = 5
    PING: Final = 6
    GOAWAY: Final = 7
    WINDOW_UPDATE: Final = 8
    CONTINUATION: Final = 9


class Flag:
    """Flags. The first bit means `ACK` on SETTINGS and PING, and `END_STREAM` on DATA and HEADERS."""

    ACK: Final = 0x01
    END_STREAM: Final = 0x01
    END_HEADERS: Final = 0x04
    PADDED: Final = 0x08
    PRIORITY: Final = 0x20


class ErrorCode(IntEnum):
    """Why a stream or a connection ends (section 7): those that we say or understand."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    FLOW_CONTROL_ERROR = 3
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    ENHANCE_YOUR_CALM = 11


class Setting(IntEnum):
    """Settings (section 6.5.2)."""

    HEADER_TABLE_SIZE = 1
    ENABLE_PUSH = 2
    MAX_CONCURRENT_STREAMS = 3
    INITIAL_WINDOW_SIZE = 4
    MAX_FRAME_SIZE = 5
    MAX_HEADER_LIST_SIZE = 6


class Fault(Exception):
    """The peer broke the protocol: the connection is over. `code` is what it is told in a GOAWAY."""

    def __init__(self, code: ErrorCode) -> None:
        super().__init__(code.name)
        self.code = code


class Frame(NamedTuple):
    """A frame as it came."""

    kind: int
    flags: int
    stream_id: int
    payload: bytes

    def content(self) -> bytes:
        """Return the payload of a DATA or HEADERS frame without its padding and priority. Raises Fault."""
        payload, start, padding = self.payload, 0, 0
        if self.flags & Flag.PADDED:
            if not payload:
                raise Fault(ErrorCode.FRAME_SIZE_ERROR)
            start, padding = 1, payload[0]
        if self.kind == Kind.HEADERS and self.flags & Flag.PRIORITY:
            start += _PRIORITY_BYTES
        if start + padding > len(payload):
            raise Fault(ErrorCode.PROTOCOL_ERROR)
        return payload[start : len(payload) - padding]


class FrameReader:
    """Cuts frames out of bytes that come in any pieces."""

    def __init__(self) -> None:
        self._rest = b""

    def read(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that are whole with `data`. To be used up before the next call.

        Raises Fault, after the frames before it, at one that is larger than we allow, without waiting for its end.
        """
        if self._rest:
            data = self._rest + data
        at, size = 0, len(data)
        while size - at >= _HEAD_BYTES:
            high, low, kind, flags, stream_id = _HEAD.unpack_from(data, at)
            length = high << 8 | low
            if length > MOST_PAYLOAD:
                raise Fault(ErrorCode.FRAME_SIZE_ERROR)
            start, end = at + _HEAD_BYTES, at + _HEAD_BYTES + length
            if end > size:
                break
            at = end
            yield Frame(kind, flags, stream_id & LARGEST, data[start:end])
        self._rest = data[at:]


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    """Return a frame."""
    size = len(payload)
    return _HEAD.pack(size >> 8, size & 0xFF, kind, flags, stream_id) + payload


def header_section(stream_id: int, block: bytes, *, ends: bool, most: int) -> bytes:
    """Return the HEADERS frame that opens a stream, and what does not fit into `most` octets in CONTINUATIONs."""
    flags = Flag.END_STREAM if ends else 0
    if len(block) <= most:
        return frame(Kind.HEADERS, flags | Flag.END_HEADERS, stream_id, block)
    made = [frame(Kind.HEADERS, flags, stream_id, block[:most])]
    for at in range(most, len(block), most):
        last = at + most >= len(block)
        made.append(frame(Kind.CONTINUATION, Flag.END_HEADERS if last else 0, stream_id, block[at : at + most]))
    return b"".join(made)


def settings(values: Mapping[Setting, int]) -> bytes:
    """Return a SETTINGS frame."""
    return frame(Kind.SETTINGS, 0, 0, b"".join(_SETTING.pack(*each) for each in values.items()))


def settings_of(payload: bytes) -> Iterator[tuple[int, int]]:
    """Return what a SETTINGS frame says, in its order. Raises Fault."""
    if len(payload) % _SETTING.size:
        raise Fault(ErrorCode.FRAME_SIZE_ERROR)
    return _SETTING.iter_unpack(payload)


def reset(stream_id: int, code: ErrorCode) -> bytes:
    """Return an RST_STREAM frame."""
    return frame(Kind.RST_STREAM, 0, stream_id, _WORD.pack(code))


def window_update(stream_id: int, octets: int) -> bytes:
    """Return a WINDOW_UPDATE frame."""
    return frame(Kind.WINDOW_UPDATE, 0, stream_id, _WORD.pack(octets))


def go_away(code: ErrorCode) -> bytes:
    """Return a client's GOAWAY frame: the peer has opened no streams, so none is the last."""
    return frame(Kind.GOAWAY, 0, 0, _TWO_WORDS.pack(0, code))


def word(payload: bytes, *, size: int = 4) -> int:
    """Return the first four octets of a payload of `size`, without the reserved bit. Raises Fault."""
    if len(payload) != size:
        raise Fault(ErrorCode.FRAME_SIZE_ERROR)
    found: int = _WORD.unpack_from(payload)[0]
    return found & LARGEST
