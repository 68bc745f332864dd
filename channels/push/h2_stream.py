"""One request on one stream: what of it has left, what came back, and how it ends. Pure."""

from collections.abc import Callable, Mapping

from channels.push.h2_windows import Credit
from tocsin.net.http import Answer, Unanswered

# What a provider says beside its status is a short text; more than this is not kept.
_MOST_BODY = 64 * 1024


class Unprocessed(Exception):
    """The peer has surely not worked on the request: it may be made again, on another stream or connection.

    By RFC 9113 section 8.7 that is so above the last stream of a GOAWAY and after RST_STREAM with REFUSED_STREAM.
    """


# How a request ends.
End = Answer | Unprocessed | Unanswered


class Stream:
    """A request that is under way. `on_end` is called once.

    `unsent` is what of the body waits for the peer, `window` how much of it the peer takes on this stream, `credit`
    how much of the answer's we do. After `deadline`, on the clock of whoever made it, the answer is of no use.
    """

    __slots__ = (
        "_body",
        "_headers",
        "_on_end",
        "_received",
        "_status",
        "credit",
        "deadline",
        "ended",
        "id",
        "unsent",
        "window",
    )

    def __init__(
        self, stream_id: int, body: bytes, *, window: int, deadline: float, on_end: Callable[[End], None]
    ) -> None:
        self.id = stream_id
        self.unsent = body
        self.window = window
        self.deadline = deadline
        self.credit = Credit()
        self.ended = False
        self._on_end = on_end
        self._status = 0
        self._headers: Mapping[str, str] = {}
        self._body = b""
        self._received = 0

    @property
    def responded(self) -> bool:
        """Whether the answer's header section is there."""
        return self._status > 0

    def respond(self, status: int, headers: Mapping[str, str]) -> None:
        """Take the answer's header section."""
        self._status, self._headers = status, headers

    def receive(self, data: bytes) -> None:
        """Take a piece of the answer's body."""
        self._received += len(data)
        self._body += data[: _MOST_BODY - len(self._body)]

    def end(self) -> None:
        """The answer is whole, unless it said that it is of another length (RFC 9113, section 8.1.1)."""
        if self._headers.get("content-length", str(self._received)) == str(self._received):
            self._finish(Answer(status=self._status, headers=self._headers, body=self._body))
        else:
            self.lose()

    def refuse(self, why: str) -> None:
        """The peer says that it did not work on the request; one that it answers already is not believed so."""
        if self.responded:
            self.lose()
        else:
            self._finish(Unprocessed(why))

    def lose(self) -> None:
        """No whole answer will come."""
        phase = "body" if self.responded else "request" if self.unsent else "headers"
        self._finish(Unanswered(phase))

    def _finish(self, end: End) -> None:
        if not self.ended:
            self.ended = True
            self._on_end(end)
