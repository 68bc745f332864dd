"""Answers out of the bytes of a connection. Pure: bytes go in, and what they make is looked up."""

from typing import Literal

import httptools

from tocsin.net.http import Answer

_MAX_HEADERS = 64 * 1024
_FINAL = 200
# A body in chunks of one byte takes six bytes for each.
_MAX_FRAMING = 8

Phase = Literal["headers", "body"]


class AnswerReader:
    """Reads one answer after the other. `expect` before each; after a failure it is of no more use.

    `answer` is the answer once it is whole, `failed` says that there will be none, `phase` what is missing.
    `reusable` says that another answer can follow on the same connection: it was delimited by its own length, the
    server keeps the connection, and no byte came after it.
    """

    def __init__(self, *, max_body: int) -> None:
        self._max_body = max_body
        self._parser = httptools.HttpResponseParser(self)
        self.expect(to_head=False)

    def expect(self, *, to_head: bool) -> None:
        """Begin with the next answer. `to_head`: it answers HEAD, so it has no body, whatever its headers say."""
        self._to_head = to_head
        self._status = 0
        self._headers: dict[str, str] = {}
        self._headers_size = 0
        self._body: list[bytes] = []
        self._body_size = 0
        self._received = 0
        self._interim = False
        self._length_known = False
        self.answer: Answer | None = None
        self.failed = False
        self.reusable = False

    @property
    def phase(self) -> Phase:
        """What of the answer is missing."""
        return "body" if self._status else "headers"

    def feed(self, data: bytes) -> None:
        """Take bytes, split anywhere."""
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            # What comes after a whole answer spoils the connection, not the answer.
            self.reusable = False
            self.failed = self.answer is None
        if self.answer is None and self._is_too_large():
            self.failed = True
            self.reusable = False

    def finish(self) -> None:
        """Take the end of the connection: it ends a body that has no other end (RFC 9112, section 6.3)."""
        self.reusable = False
        if self.answer is None and not self.failed:
            if self._status and not self._length_known:
                self._complete()
            else:
                self.failed = True

    def on_message_begin(self) -> None:
        """See httptools: another answer that nobody asked for, if there is one already."""
        if self.answer is not None:
            self.reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """See httptools. What comes after the body (trailers) is not kept."""
        if self._status or self.answer is not None:
            return
        self._headers_size += len(name) + len(value)
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        known = self._headers.get(key)
        self._headers[key] = text if known is None else f"{known}, {text}"

    def on_headers_complete(self) -> None:
        """See httptools."""
        if self.answer is not None:
            return
        status = self._parser.get_status_code()
        if status < _FINAL:
            self._interim = True
            self._headers.clear()
            return
        self._status = status
        self._length_known = "content-length" in self._headers or "transfer-encoding" in self._headers
        self.reusable = self._parser.should_keep_alive() and not self._to_head
        if self._to_head:
            # The parser would take what follows for a body, so the connection is not used again.
            self._complete()

    def on_body(self, data: bytes) -> None:
        """See httptools."""
        if self.answer is None:
            self._body_size += len(data)
            if self._body_size <= self._max_body:
                self._body.append(data)

    def on_message_complete(self) -> None:
        """See httptools."""
        if self._interim:
            self._interim = False
        elif self.answer is None and not self._is_too_large():
            self._complete()

    def _complete(self) -> None:
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self.answer = Answer(status=self._status, headers=self._headers, body=body)

    def _is_too_large(self) -> bool:
        """Return whether the answer is beyond its bounds; until the headers are whole all that came counts as such."""
        if self._headers_size > _MAX_HEADERS or self._body_size > self._max_body:
            return True
        return self._received > _MAX_HEADERS + (_MAX_FRAMING * self._max_body if self._status else 0)
