"""Our machine and h2's server, without a network between them."""

from collections.abc import Sequence

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import Event
from h2.settings import SettingCodes, Settings
from hyperframe.frame import GoAwayFrame

from channels.push.h2_fields import Headers
from channels.push.h2_machine import ClientMachine
from channels.push.h2_stream import End, Stream

HEADERS = [(":method", "POST"), (":scheme", "https"), (":authority", "x"), (":path", "/")]
OK = [(":status", "200")]


class Talk:
    """A client and a server that have said hello. `ends` has how requests ended, in that order."""

    def __init__(self, **settings: int) -> None:
        self.client = ClientMachine()
        self.server = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        ours = {SettingCodes[name]: value for name, value in settings.items()}
        self.server.local_settings = Settings(client=False, initial_values=ours)
        self.server.initiate_connection()
        self.ends: list[End] = []
        self.turn()

    def request(self, body: bytes = b"", headers: Headers = HEADERS) -> Stream:
        return self.client.open(headers, body, deadline=0, on_end=self.ends.append)

    def turn(self) -> Sequence[Event]:
        """Let each hear what the other has said until neither has more to say. Return what the server has heard."""
        events: list[Event] = []
        while said := self.client.outgoing():
            events += self.server.receive_data(said)
            self.client.receive(self.server.data_to_send())
        return events

    def answer(self, stream: Stream, body: bytes = b"", headers: Headers = ()) -> None:
        self.server.send_headers(stream.id, [*OK, *headers], end_stream=not body)
        if body:
            self.server.send_data(stream.id, body, end_stream=True)
        self.hear()

    def hear(self, *more: bytes) -> None:
        """Let the client hear the server, and these bytes."""
        self.client.receive(self.server.data_to_send() + b"".join(more))


def goaway(last: int) -> bytes:
    return GoAwayFrame(0, last_stream_id=last, error_code=ErrorCodes.NO_ERROR).serialize()
