"""The client's side of the protocol against h2's server side, and against frames that a server should not send."""

from collections.abc import Sequence

import pytest
from h2.errors import ErrorCodes
from h2.events import DataReceived, PingReceived, RequestReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes
from hyperframe.frame import DataFrame, Frame, HeadersFrame, PingFrame, PriorityFrame

from channels.push.h2_frames import LARGEST
from channels.push.h2_machine import UsedUp
from channels.push.h2_stream import Unprocessed
from tests.unit.push.h2_talks import HEADERS, OK, Talk, goaway
from tocsin.net.http import Answer, Unanswered


def kinds(ends: Sequence[object]) -> list[str]:
    return [type(end).__name__ for end in ends]


def headers_of(request: RequestReceived) -> list[tuple[str, str]]:
    return [(str(name), str(value)) for name, value in request.headers or []]


def test_a_request_is_heard_as_it_was_made_and_its_answer_too() -> None:
    talk = Talk()
    stream = talk.request(b"{}", [*HEADERS, ("x-name", "1")])
    events = talk.turn()
    talk.answer(stream, b"yes", [("apns-id", "7")])

    [request] = [event for event in events if isinstance(event, RequestReceived)]
    assert headers_of(request) == [*HEADERS, ("x-name", "1")]
    assert b"".join(event.data or b"" for event in events if isinstance(event, DataReceived)) == b"{}"
    assert any(isinstance(event, StreamEnded) for event in events)
    assert talk.ends == [Answer(status=200, headers={"apns-id": "7"}, body=b"yes")]
    assert talk.client.streams == {}


def test_pushes_of_the_server_are_switched_off_from_the_first_frame() -> None:
    assert Talk().server.remote_settings.enable_push == 0


def test_the_servers_settings_are_there_when_they_are_and_acknowledged() -> None:
    talk = Talk(MAX_CONCURRENT_STREAMS=7)

    assert talk.client.greeted
    assert talk.client.most_streams == 7
    talk.server.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: 3})
    talk.hear()
    talk.turn()
    assert talk.client.most_streams == 3
    assert talk.server.local_settings.max_concurrent_streams == 3  # h2 changes it at the acknowledgement


@pytest.mark.parametrize("size", [0, 100, 4096, 65536])
def test_a_server_may_have_a_table_of_another_size(size: int) -> None:
    talk = Talk(HEADER_TABLE_SIZE=size)
    for change in (size, size // 2, size // 4):
        talk.server.update_settings({SettingCodes.HEADER_TABLE_SIZE: change})
        talk.hear()
        streams = [talk.request(), talk.request()]
        talk.turn()
        for stream in streams:
            talk.answer(stream)

    assert kinds(talk.ends) == ["Answer"] * 6


def test_an_answer_after_both_goaways_arrives() -> None:
    talk = Talk()
    stream = talk.request()
    talk.turn()
    talk.hear(goaway(LARGEST), goaway(1))
    talk.answer(stream)

    assert talk.client.leaving
    assert kinds(talk.ends) == ["Answer"]


def test_what_is_above_the_last_stream_was_not_worked_on() -> None:
    talk = Talk()
    first, _, _ = (talk.request() for _ in range(3))
    talk.turn()
    talk.hear(goaway(1))
    assert kinds(talk.ends) == ["Unprocessed", "Unprocessed"]

    talk.answer(first)
    assert kinds(talk.ends)[2:] == ["Answer"]


def test_an_acknowledgement_is_not_lost_to_a_goaway_in_the_same_bytes() -> None:
    talk = Talk()
    talk.request()
    talk.turn()
    talk.client.receive(PingFrame(0, opaque_data=b"12345678").serialize() + goaway(1))

    assert talk.client.outgoing() == PingFrame(0, opaque_data=b"12345678", flags=["ACK"]).serialize()


def test_a_ping_is_acknowledged_by_the_server() -> None:
    talk = Talk()
    talk.client.ping(b"12345678")

    assert [event.ping_data for event in talk.turn() if isinstance(event, PingReceived)] == [b"12345678"]


@pytest.mark.parametrize(
    ("code", "end"),
    [(ErrorCodes.REFUSED_STREAM, Unprocessed), (ErrorCodes.INTERNAL_ERROR, Unanswered), (0xBEEF, Unanswered)],
)
def test_a_reset_ends_a_request_by_its_reason(code: int, end: type) -> None:
    talk = Talk()
    stream = talk.request()
    talk.turn()
    talk.server.reset_stream(stream.id, code)
    talk.hear()

    assert [type(each) for each in talk.ends] == [end]
    assert talk.client.streams == {}


def test_a_forgotten_stream_is_reset_once_and_its_answer_ignored_but_decoded() -> None:
    talk = Talk()
    first, second = talk.request(), talk.request()
    talk.turn()
    # Sent before the server hears of the reset; the second answer refers to what the first put in the table.
    talk.server.send_headers(first.id, [*OK, ("apns-id", "the same")])
    talk.server.send_data(first.id, b"x", end_stream=True)
    talk.server.send_headers(second.id, [*OK, ("apns-id", "the same")], end_stream=True)
    assert talk.client.forget(first)
    assert not talk.client.forget(first)
    talk.hear()

    assert talk.ends == [Answer(status=200, headers={"apns-id": "the same"}, body=b"")]
    assert talk.server.receive_data(talk.client.outgoing()) == []  # h2 closed the stream as it answered


def test_long_header_sections_take_several_frames_in_both_directions() -> None:
    talk = Talk()
    stream = talk.request(b"x", [*HEADERS, ("x-long", "a" * 40_000)])
    events = talk.turn()
    talk.answer(stream, headers=[("x-long", "b~" * 10_000)])

    [request] = [event for event in events if isinstance(event, RequestReceived)]
    assert dict(headers_of(request))["x-long"] == "a" * 40_000
    [end] = talk.ends
    assert isinstance(end, Answer)
    assert end.headers == {"x-long": "b~" * 10_000}


def padded(frame: Frame, length: int, *flags: str) -> bytes:
    frame.flags |= {"PADDED", *flags}
    frame.pad_length = length  # type: ignore[attr-defined] # of the padded kinds
    return frame.serialize()


def test_padding_and_priority_are_taken_off() -> None:
    talk = Talk()
    stream = talk.request()
    talk.turn()
    block = talk.server.encoder.encode([*OK, ("apns-id", "1")])
    head = HeadersFrame(stream.id, block, stream_weight=16, depends_on=0)
    talk.client.receive(padded(head, 200, "END_HEADERS", "PRIORITY"))
    talk.client.receive(PriorityFrame(stream.id, stream_weight=1).serialize())
    talk.client.receive(padded(DataFrame(stream.id, b"body"), 255))
    talk.client.receive(padded(DataFrame(stream.id, b""), 0, "END_STREAM"))

    assert talk.ends == [Answer(status=200, headers={"apns-id": "1"}, body=b"body")]


def test_what_is_said_before_the_answer_and_after_it_is_left_aside() -> None:
    talk = Talk()
    stream = talk.request()
    talk.turn()
    talk.server.send_headers(stream.id, [(":status", "103"), ("link", "x")])
    talk.server.send_headers(stream.id, OK)
    talk.server.send_data(stream.id, b"body")
    talk.server.send_headers(stream.id, [("x-trailer", "1")], end_stream=True)
    talk.hear()

    assert talk.ends == [Answer(status=200, headers={}, body=b"body")]


@pytest.mark.parametrize(
    "fields",
    [
        [("apns-id", "1")],
        [(":status", "20")],
        [(":status", "+20")],
        [(":status", "200"), (":status", "200")],
        [(":status", "200"), ("Apns-Id", "1")],
        [(":status", "200"), ("content-length", "3")],
    ],
)
def test_what_is_no_answer_ends_its_stream_alone(fields: list[tuple[str, str]]) -> None:
    talk = Talk()
    broken, fine = talk.request(), talk.request()
    talk.turn()
    block = talk.server.encoder.encode(fields)
    talk.client.receive(HeadersFrame(broken.id, block, flags=["END_HEADERS", "END_STREAM"]).serialize())
    talk.answer(fine)

    assert kinds(talk.ends) == ["Unanswered", "Answer"]


def test_a_body_before_its_headers_ends_its_stream_alone() -> None:
    talk = Talk()
    stream = talk.request()
    talk.turn()
    talk.client.receive(DataFrame(stream.id, b"x").serialize())

    assert kinds(talk.ends) == ["Unanswered"]
    [reset] = [event for event in talk.turn() if isinstance(event, StreamReset)]
    assert reset.error_code == ErrorCodes.PROTOCOL_ERROR


def test_an_answer_before_the_body_has_left_stops_the_body() -> None:
    talk = Talk(INITIAL_WINDOW_SIZE=0)
    stream = talk.request(b"x" * 100)
    talk.turn()
    talk.server.send_headers(stream.id, [(":status", "413")], end_stream=True)
    talk.hear()
    resets = [event for event in talk.turn() if isinstance(event, StreamReset)]
    assert [reset.stream_id for reset in resets] == [stream.id]

    with pytest.raises(ProtocolError):  # h2 has forgotten the stream
        talk.server.increment_flow_control_window(1000, stream.id)
    assert talk.client.outgoing() == b""


def test_a_connection_ends_when_its_stream_ids_are_used_up() -> None:
    talk = Talk()
    talk.client._last_id = LARGEST - 2
    assert talk.request().id == LARGEST

    with pytest.raises(UsedUp):
        talk.request()
