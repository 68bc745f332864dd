"""The entry of h2's private table that is replaced: this fails loudly if h2 changes it, or does without."""

from importlib.metadata import version

import h2.config
import h2.connection
import pytest
from h2.connection import ConnectionState, H2Connection
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, Event, PingReceived, ResponseReceived, StreamEnded
from h2.exceptions import ProtocolError
from hyperframe.frame import GoAwayFrame, PingFrame

from channels.push.h2_machine import REPLACED, PatientH2Connection

HEADERS = [(":method", "POST"), (":scheme", "https"), (":authority", "x"), (":path", "/")]


def goaway(last: int) -> bytes:
    return GoAwayFrame(0, last_stream_id=last, error_code=ErrorCodes.NO_ERROR).serialize()


def answered_after_goaway(client: H2Connection) -> list[Event]:
    """Let the peer say GOAWAY twice, and only then answer the stream that it named."""
    server = H2Connection(h2.config.H2Configuration(client_side=False))
    client.initiate_connection()
    client.send_headers(1, HEADERS, end_stream=True)
    server.initiate_connection()
    server.receive_data(client.data_to_send())
    server.send_headers(1, [(":status", "200")], end_stream=True)
    return client.receive_data(goaway(2**31 - 1) + goaway(1) + server.data_to_send())


def test_h2_is_of_the_version_that_was_read() -> None:
    assert version("h2").split(".")[0] == "4"


def test_the_entry_is_as_it_was_when_it_was_replaced() -> None:
    machine = h2.connection.H2ConnectionStateMachine()

    assert machine._transitions[REPLACED] == (None, ConnectionState.CLOSED)


def test_an_answer_after_a_goaway_arrives() -> None:
    events = answered_after_goaway(PatientH2Connection())

    kinds = [type(event) for event in events]
    assert kinds.count(ConnectionTerminated) == 2
    assert ResponseReceived in kinds
    assert StreamEnded in kinds


def test_h2_alone_still_loses_it() -> None:
    """If this fails, h2 has mended it: remove the replacement."""
    with pytest.raises(ProtocolError):
        answered_after_goaway(H2Connection())


def test_only_the_one_entry_of_the_one_instance_is_replaced() -> None:
    ours = PatientH2Connection().state_machine._transitions
    theirs = H2Connection().state_machine._transitions

    assert {key for key in ours if ours[key] != theirs[key]} == {REPLACED}
    assert set(ours) == set(theirs)


def test_an_acknowledgement_is_not_lost_to_a_goaway_in_the_same_bytes() -> None:
    client = PatientH2Connection()
    client.initiate_connection()
    client.send_headers(1, HEADERS, end_stream=True)
    client.data_to_send()

    events = client.receive_data(PingFrame(0, opaque_data=b"12345678").serialize() + goaway(1))

    assert [type(event) for event in events] == [PingReceived, ConnectionTerminated]
    assert client.data_to_send() == PingFrame(0, opaque_data=b"12345678", flags=["ACK"]).serialize()


def test_pushes_of_the_server_are_switched_off_from_the_first_frame() -> None:
    server = H2Connection(h2.config.H2Configuration(client_side=False))
    client = PatientH2Connection()
    client.initiate_connection()
    server.initiate_connection()

    server.receive_data(client.data_to_send())

    assert server.remote_settings.enable_push == 0
