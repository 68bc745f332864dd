"""An SMTP server of our own, in a process of its own, for what Postfix's `smtp-sink` cannot do.

    python -m benchmarks.sink <port> record    takes mail; prints for each when it was submitted and when it arrived
    python -m benchmarks.sink <port> refuse    answers 451 to every recipient

The time of submission is in the mail's subject, as `t<nanoseconds of CLOCK_MONOTONIC>t`.
"""

import asyncio
import contextlib
import re
import sys
import time

import uvloop

_SENT = re.compile(rb"^Subject:[^\r\n]*?t(\d+)t", re.MULTILINE)
_REPLIES = {
    b"EHLO": b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 10485760\r\n",
    b"DATA": b"354 go on\r\n",
    b"QUIT": b"221 bye\r\n",
}
_OK = b"250 2.0.0 ok\r\n"
_LATER = b"451 4.7.1 greylisted, come again later\r\n"


class _Session(asyncio.Protocol):
    """One connection. Takes commands as they come, several in one packet too."""

    def __init__(self, *, refusing: bool) -> None:
        self._refusing = refusing
        self._buffer = b""
        self._content = False
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._write(b"220 sink ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        replies = b""
        while (reply := self._next()) is not None:
            replies += reply
        if replies:
            self._write(replies)

    def _next(self) -> bytes | None:
        """Take the next command, or the content, off the buffer and return the reply; None if it is not all there."""
        item, found, rest = self._buffer.partition(b"\r\n.\r\n" if self._content else b"\r\n")
        if not found:
            return None
        self._buffer = rest
        if self._content:
            self._content = False
            _record(item)
            return _OK
        verb = item[:4].upper()
        if verb == b"RCPT" and self._refusing:
            return _LATER
        self._content = verb == b"DATA"
        return _REPLIES.get(verb, _OK)

    def _write(self, reply: bytes) -> None:
        if self._transport is not None:
            self._transport.write(reply)


def _record(content: bytes) -> None:
    found = _SENT.search(content)
    if found is not None:
        sys.stdout.write(f"{int(found.group(1))} {time.monotonic_ns()}\n")
        sys.stdout.flush()


async def _serve(port: int, *, refusing: bool) -> None:
    server = await asyncio.get_running_loop().create_server(
        lambda: _Session(refusing=refusing), "127.0.0.1", port, backlog=1000
    )
    await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_serve(int(sys.argv[1]), refusing=sys.argv[2] == "refuse"))
