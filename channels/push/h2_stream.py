"""One request on one stream: what of it has left, what came back, and how it ends."""

import asyncio

from tocsin.net.http import Answer, Unanswered

# What a provider says beside its status is a short text; more than this is not kept.
_MOST_BODY = 64 * 1024


class Unprocessed(Exception):
    """The peer has surely not worked on the request: it may be made again, on another stream or connection.

    By RFC 9113 section 8.7 that is so above the last stream of a GOAWAY and after RST_STREAM with REFUSED_STREAM.
    """


class Stream:
    """A request that is under way. `answer` is its end: an Answer, Unprocessed or Unanswered."""

    __slots__ = ("_body", "_headers", "answer", "id", "responded", "unsent")

    def __init__(self, stream_id: int, body: bytes, answer: asyncio.Future[Answer]) -> None:
        self.id = stream_id
        self.unsent = memoryview(body)
        self.responded = False
        self.answer = answer
        self._headers: dict[str, str] = {}
        self._body = bytearray()

    @property
    def phase(self) -> str:
        """How far it has come, as `Unanswered` has it."""
        if self.responded:
            return "body"
        return "request" if self.unsent else "headers"

    @property
    def has_ended(self) -> bool:
        """Whether `answer` is there, one way or another."""
        return self.answer.done() and not self.answer.cancelled()

    def respond(self, headers: list[tuple[bytes, bytes]]) -> None:
        """Take the answer's header section."""
        self.responded = True
        self._headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}

    def receive(self, data: bytes) -> None:
        """Take a piece of the answer's body."""
        self._body += data[: _MOST_BODY - len(self._body)]

    def end(self) -> None:
        """The answer is whole."""
        if not self.answer.done():
            status = int(self._headers.pop(":status"))
            self.answer.set_result(Answer(status=status, headers=self._headers, body=bytes(self._body)))

    def refuse(self, why: str) -> None:
        """The peer says that it did not work on the request; one that it answers already is not believed so."""
        if self.responded:
            self.lose()
        else:
            self._fail(Unprocessed(why))

    def lose(self) -> None:
        """No whole answer will come."""
        self._fail(Unanswered(self.phase))

    def _fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)
            self.answer.exception()  # seen, though who waited for it may be cancelled in the same turn
