"""A ready SMTP connection: commands out, replies in, several at a time where the server allows it (RFC 2920).

aiosmtplib connects, speaks TLS and authenticates; then this takes the connection over, because that library waits for
the reply to each command before it sends the next, which is most of what a small mail costs.
"""

import asyncio
import math
from collections import deque
from typing import NamedTuple, cast

import aiosmtplib

_MAX_REPLY = 64 * 1024
_CODE = 3


class Reply(NamedTuple):
    """A reply: its code, and its text with the lines of a multiline reply joined by line feeds."""

    code: int
    message: str


class WireLostError(Exception):
    """The connection ended, or what came over it is no SMTP. It is of no more use."""


class Wire(asyncio.Protocol):
    """One connection, held by one dialogue at a time. Replies come in the order of the commands.

    `size_limit` is how many octets the server takes (SIZE, RFC 1870); 0 if it did not say.
    """

    def __init__(self, client: aiosmtplib.SMTP) -> None:
        """Take over a connection that is ready and has no command under way."""
        transport = client.transport
        if transport is None:
            raise WireLostError("the connection was lost before it could be used")
        self._client = client
        # A cast, because uvloop's transports are no subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._loop = asyncio.get_running_loop()
        self._rest = b""
        self._lines: list[str] = []
        self._replies: deque[Reply] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._looks_at = self._by = 0.0
        self._lost: str | None = None
        self.pipelining = client.supports_extension("pipelining")
        self.size_limit = _octets(client.esmtp_extensions.get("size", ""))
        self._transport.set_protocol(self)

    @property
    def is_open(self) -> bool:
        """Whether commands can be sent, and nothing came that nobody asked for."""
        return self._lost is None and not self._replies and not self._transport.is_closing()

    def supports(self, extension: str) -> bool:
        """Return whether the server offered an extension, in lower case."""
        return self._client.supports_extension(extension)

    def write(self, data: bytes) -> None:
        """Send bytes. Raises WireLostError if the connection is known to be gone."""
        if self._lost is not None or self._transport.is_closing():
            raise WireLostError(self._lost or "the connection is closing")
        self._transport.write(data)

    async def reply(self, *, by: float, within: float = math.inf) -> Reply:
        """Return the next reply. Raises WireLostError, and TimeoutError if there is none by `by` (of `loop.time()`)
        or `within` so many seconds.

        After a timeout or a cancellation the connection is out of step: abort it.
        """
        while not self._replies:
            if self._lost is not None:
                raise WireLostError(self._lost)
            self._watch(min(by, self._loop.time() + within))
            self._waiter = self._loop.create_future()
            await self._waiter
        return self._replies.popleft()

    async def command(self, command: bytes, *, by: float, within: float) -> Reply:
        """Send one command, without its line end, and return the reply. Raises as `reply` does."""
        self.write(command + b"\r\n")
        return await self.reply(by=by, within=within)

    def hang_up(self) -> None:
        """Say QUIT and close without waiting for the answer: the connection is of no more use, whatever it says."""
        if self.is_open:
            self._transport.write(b"QUIT\r\n")
        self._transport.close()

    def abort(self) -> None:
        """Close at once: no QUIT, no TLS good-bye that a dead server could keep waiting for."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if not self._take(line):
                return
        if len(self._rest) > _MAX_REPLY:
            self._lose("a reply is too long")
        if self._replies:
            self._wake()

    def eof_received(self) -> bool:
        """See `asyncio.Protocol`."""
        self._lose("the server closed the connection")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._lose(f"the connection was lost: {type(exc).__name__}" if exc else "the connection was closed")

    def _take(self, line: bytes) -> bool:
        """Take a line of a reply; return whether it was one."""
        code = line[:_CODE]
        if not code.isdigit():
            self._lose("a line is no reply")
            return False
        if len(line) > _MAX_REPLY:
            self._lose("a reply is too long")
            return False
        text = line[_CODE + 1 :].strip().decode("utf-8", "surrogateescape")
        more = line[_CODE : _CODE + 1] == b"-"
        if more or self._lines:
            self._lines.append(text)
            if sum(map(len, self._lines)) > _MAX_REPLY:
                self._lose("a reply is too long")
                return False
        if not more:
            if self._lines:
                text = "\n".join(self._lines)
                self._lines.clear()
            self._replies.append(Reply(int(code), text))
        return True

    def _watch(self, by: float) -> None:
        """Look at the clock no later than at `by`. A timer that is set already stays: most replies come in time, and
        looking once too early costs less than a timer for each."""
        self._by = by
        if self._timer is None or by < self._looks_at:
            if self._timer is not None:
                self._timer.cancel()
            self._looks_at = by
            self._timer = self._loop.call_at(by, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._waiter is None or self._waiter.done():
            return
        if self._loop.time() < self._by:
            self._watch(self._by)
        else:
            self._waiter.set_exception(TimeoutError())

    def _lose(self, why: str) -> None:
        if self._lost is None:
            self._lost = why
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        self._waiter = None


def _octets(said: str) -> int:
    """Return the number that a server says with SIZE, 0 if it says none."""
    number = said.partition(" ")[0]
    return int(number[:18]) if number.isascii() and number.isdigit() else 0
