"""Flow control in both directions: neither side sends what the other has not room for, and nobody is left waiting."""

import pytest
from h2.events import DataReceived, Event, WindowUpdated
from h2.settings import SettingCodes
from hypothesis import given
from hypothesis import strategies as st

from channels.push.h2_frames import ErrorCode, Fault
from channels.push.h2_windows import INITIAL, Credit
from tests.unit.push.h2_talks import OK, Talk
from tocsin.net.http import Answer


def body_of(events: list[Event], stream_id: int) -> bytes:
    found = [event for event in events if isinstance(event, DataReceived) and event.stream_id == stream_id]
    return b"".join(event.data or b"" for event in found)


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=30), st.integers(1, 5000), st.integers(0, 4000))
def test_a_body_leaves_as_the_server_makes_room(rooms: list[int], size: int, initial: int) -> None:
    """h2 raises when more comes than it has room for."""
    talk = Talk(INITIAL_WINDOW_SIZE=initial)
    body = bytes(number % 251 for number in range(size))
    stream = talk.request(body)
    events = list(talk.turn())
    room = initial
    for more in rooms:
        assert body_of(events, stream.id) == body[:room]
        if room >= size:
            break
        if more:
            talk.server.increment_flow_control_window(more, stream.id)
            talk.hear()
            events += talk.turn()
            room += more


def test_streams_share_the_window_of_the_connection_in_their_order() -> None:
    talk = Talk()
    first, second = talk.request(b"a" * 60_000), talk.request(b"b" * 60_000)
    events = list(talk.turn())
    assert (len(body_of(events, first.id)), len(body_of(events, second.id))) == (60_000, INITIAL - 60_000)

    talk.server.increment_flow_control_window(60_000)
    talk.hear()
    events += talk.turn()
    assert body_of(events, second.id) == b"b" * 60_000


def test_a_window_that_the_settings_make_negative_is_made_good_first() -> None:
    talk = Talk(INITIAL_WINDOW_SIZE=100)
    stream = talk.request(b"x" * 200)
    events = list(talk.turn())
    talk.server.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 10})
    talk.hear()
    events += talk.turn()
    talk.server.increment_flow_control_window(90, stream.id)
    talk.hear()
    events += talk.turn()
    assert body_of(events, stream.id) == b"x" * 100

    talk.server.increment_flow_control_window(100, stream.id)
    talk.hear()
    events += talk.turn()
    assert body_of(events, stream.id) == b"x" * 200


def test_frames_are_as_large_as_the_server_allows() -> None:
    talk = Talk()
    talk.server.update_settings({SettingCodes.MAX_FRAME_SIZE: 20_000})
    talk.hear()
    talk.turn()
    talk.request(b"x" * 50_000)
    sizes = [len(event.data or b"") for event in talk.turn() if isinstance(event, DataReceived)]

    assert sizes == [20_000, 20_000, 10_000]


def test_a_long_answer_never_waits_for_us() -> None:
    talk = Talk()
    stream = talk.request()
    talk.turn()
    talk.server.send_headers(stream.id, OK)
    sent = 0
    while sent < 1_000_000:
        room = min(talk.server.local_flow_control_window(stream.id), 16_384)
        assert room > 0
        talk.server.send_data(stream.id, b"x" * room)
        sent += room
        talk.hear()
        talk.turn()
    talk.server.end_stream(stream.id)
    talk.hear()

    [end] = talk.ends
    assert isinstance(end, Answer)
    assert end.body == b"x" * 64 * 1024  # what is kept of it


def test_what_comes_for_a_stream_that_is_over_is_given_back_to_the_connection() -> None:
    talk = Talk()
    stream = talk.request()
    talk.turn()
    talk.server.send_headers(stream.id, OK)
    for _ in range(3):
        talk.server.send_data(stream.id, b"x" * 16_384)
    talk.client.forget(stream)
    talk.hear()

    updates = [event for event in talk.turn() if isinstance(event, WindowUpdated)]
    assert [(event.stream_id, event.delta) for event in updates] == [(0, 2 * 16_384)]
    assert talk.ends == []


def test_padding_counts() -> None:
    talk = Talk()
    stream = talk.request()
    talk.turn()
    talk.server.send_headers(stream.id, OK)
    for _ in range(130):
        talk.server.send_data(stream.id, b"", pad_length=255)
    talk.hear()

    talk.turn()
    assert talk.server.local_flow_control_window(stream.id) > INITIAL - 130 * 256


def test_what_the_server_may_send_is_counted_to_the_octet() -> None:
    credit = Credit()
    assert credit.spend(INITIAL // 2) == 0
    assert credit.spend(1) == INITIAL // 2 + 1
    assert credit.spend(INITIAL) == INITIAL
    with pytest.raises(Fault) as caught:
        credit.spend(INITIAL + 1)

    assert caught.value.code == ErrorCode.FLOW_CONTROL_ERROR
