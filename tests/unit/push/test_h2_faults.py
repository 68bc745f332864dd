"""What a server must not say ends the connection with the right code, and nothing that comes is a bug of ours."""

import struct
from collections import Counter
from functools import partial

import pytest
from hpack import Encoder
from hypothesis import given
from hypothesis import strategies as st

from channels.push.h2_frames import MOST_PAYLOAD, ErrorCode, Fault, Flag, Kind, frame
from channels.push.h2_machine import ClientMachine
from channels.push.h2_stream import End
from tests.unit.push.h2_talks import HEADERS, Talk, goaway

PROTOCOL, FLOW, SIZE = ErrorCode.PROTOCOL_ERROR, ErrorCode.FLOW_CONTROL_ERROR, ErrorCode.FRAME_SIZE_ERROR
WHOLE = Flag.END_HEADERS | Flag.END_STREAM
OK = Encoder().encode([(":status", "200")])


def word(number: int) -> bytes:
    return struct.pack(">L", number)


def setting(code: int, value: int) -> bytes:
    return frame(Kind.SETTINGS, 0, 0, struct.pack(">HL", code, value))


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (frame(Kind.DATA, 0, 0, b"x"), PROTOCOL),
        (frame(Kind.DATA, 0, 2, b"x"), PROTOCOL),
        (frame(Kind.DATA, 0, 3, b"x"), PROTOCOL),  # not opened yet
        (frame(Kind.DATA, Flag.PADDED, 1, b"\x05xxxx"), PROTOCOL),
        (frame(Kind.DATA, Flag.PADDED, 1), SIZE),
        (frame(Kind.HEADERS, WHOLE, 0, OK), PROTOCOL),
        (frame(Kind.HEADERS, WHOLE, 2, OK), PROTOCOL),
        (frame(Kind.HEADERS, WHOLE | Flag.PRIORITY, 1, b"\x00"), PROTOCOL),
        (frame(Kind.HEADERS, WHOLE, 1, b"\xff\xff\xff\xff\xff\x0f"), ErrorCode.COMPRESSION_ERROR),
        (frame(Kind.HEADERS, WHOLE, 1, b"\x3f\xe2\x1f\x88"), ErrorCode.COMPRESSION_ERROR),  # a table of 4097 octets
        (frame(Kind.HEADERS, 0, 1, OK) + frame(Kind.PING, 0, 0, b"12345678"), PROTOCOL),
        (frame(Kind.HEADERS, 0, 1, OK) + frame(Kind.CONTINUATION, Flag.END_HEADERS, 3), PROTOCOL),
        (frame(Kind.HEADERS, 0, 1) + frame(Kind.CONTINUATION, 0, 1, b"x" * 16_000) * 5, ErrorCode.ENHANCE_YOUR_CALM),
        (frame(Kind.CONTINUATION, Flag.END_HEADERS, 1, OK), PROTOCOL),
        (frame(Kind.PRIORITY, 0, 0, b"12345"), PROTOCOL),
        (frame(Kind.RST_STREAM, 0, 0, word(8)), PROTOCOL),
        (frame(Kind.RST_STREAM, 0, 3, word(8)), PROTOCOL),
        (frame(Kind.RST_STREAM, 0, 1, b"123"), SIZE),
        (frame(Kind.SETTINGS, 0, 1), PROTOCOL),
        (frame(Kind.SETTINGS, 0, 0, b"12345"), SIZE),
        (frame(Kind.SETTINGS, Flag.ACK, 0, b"123456"), SIZE),
        (setting(2, 1), PROTOCOL),
        (setting(4, 2**31), FLOW),
        (setting(5, 16_383), PROTOCOL),
        (setting(5, 2**24), PROTOCOL),
        (frame(Kind.PUSH_PROMISE, Flag.END_HEADERS, 1, word(2) + OK), PROTOCOL),
        (frame(Kind.PING, 0, 0, b"1234567"), SIZE),
        (frame(Kind.PING, 0, 1, b"12345678"), PROTOCOL),
        (frame(Kind.GOAWAY, 0, 1, word(1) + word(0)), PROTOCOL),
        (frame(Kind.GOAWAY, 0, 0, word(1)), SIZE),
        (frame(Kind.WINDOW_UPDATE, 0, 0, word(0)), PROTOCOL),
        (frame(Kind.WINDOW_UPDATE, 0, 3, word(1)), PROTOCOL),
        (frame(Kind.WINDOW_UPDATE, 0, 0, b"12345"), SIZE),
        (frame(Kind.WINDOW_UPDATE, 0, 0, word(2**31 - 1)), FLOW),
        (frame(Kind.WINDOW_UPDATE, 0, 1, word(2**31 - 1)), FLOW),
        (frame(Kind.WINDOW_UPDATE, 0, 1, word(3)) + setting(4, 2**31 - 1), FLOW),
        (frame(Kind.DATA, 0, 1, b"x" * (MOST_PAYLOAD + 1))[:9], SIZE),  # without waiting for the rest
    ],
)
def test_a_server_that_breaks_the_protocol_is_told_how(said: bytes, code: ErrorCode) -> None:
    talk = Talk()
    talk.request(b"{}")
    talk.turn()
    with pytest.raises(Fault) as caught:
        talk.client.receive(said)

    assert caught.value.code == code
    assert talk.client.outgoing().endswith(frame(Kind.GOAWAY, 0, 0, word(0) + word(code)))


@pytest.mark.parametrize(
    "said",
    [
        frame(0xBE, 0xFF, 7, b"of a kind that is not known"),
        frame(Kind.SETTINGS, Flag.ACK, 0),
        frame(Kind.PING, Flag.ACK, 0, b"12345678"),
        frame(Kind.WINDOW_UPDATE, 0, 1 | 2**31, word(1 | 2**31)),  # the reserved bits
        setting(0xBEEF, 1),
        setting(6, 10),
    ],
)
def test_what_means_nothing_to_us_is_left_aside(said: bytes) -> None:
    talk = Talk()
    stream = talk.request()
    talk.turn()
    talk.client.receive(said)
    talk.turn()
    talk.answer(stream)

    assert len(talk.ends) == 1


def test_a_server_begins_with_its_settings() -> None:
    with pytest.raises(Fault):
        ClientMachine().receive(frame(Kind.PING, 0, 0, b"12345678"))


def test_what_came_before_the_fault_counts() -> None:
    talk = Talk()
    talk.request()
    talk.turn()
    with pytest.raises(Fault):
        talk.client.receive(frame(Kind.HEADERS, WHOLE, 1, OK) + frame(Kind.DATA, 0, 0))

    assert len(talk.ends) == 1


frames = st.builds(
    frame,
    st.integers(0, 10),
    st.integers(0, 255),
    st.sampled_from([0, 1, 2, 3, 5, 7]),
    st.one_of(
        st.binary(max_size=40),
        st.sampled_from([OK, word(1), word(0), word(1) + word(0), b"12345678", struct.pack(">HL", 4, 5)]),
    ),
)
piece = st.one_of(frames, frames, frames, st.binary(max_size=20), st.just(goaway(3)))


@given(st.lists(piece, max_size=12), st.integers(1, 50), st.binary(max_size=200))
def test_whatever_comes_it_is_a_fault_or_taken_and_no_request_ends_twice(
    said: list[bytes], size: int, body: bytes
) -> None:
    talk = Talk()
    ended: Counter[int] = Counter()
    for number in range(3):
        talk.client.open(HEADERS, body, deadline=0, on_end=partial(_count, ended, number))
    talk.turn()
    data = b"".join(said)
    try:
        for at in range(0, len(data), size):
            talk.client.receive(data[at : at + size])
    except Fault:
        pass
    for stream in talk.client.streams.values():
        stream.lose()

    assert ended == Counter(range(3))


def _count(ended: Counter[int], number: int, _end: End) -> None:
    ended[number] += 1
