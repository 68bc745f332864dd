"""One HTTP/1.1 connection: a request out in one piece, its answer in, one at a time."""

import asyncio
import select
from typing import cast

from tocsin.net.http import Answer, Unanswered
from tocsin.net.reading import AnswerReader

# Not every system has them; an end that was reset is told in any case.
_ENDED = getattr(select, "POLLRDHUP", 0)
_READABLE = getattr(select, "POLLIN", 0)


class Connection(asyncio.Protocol):
    """A connection, held by one exchange at a time. Closed at the first doubt."""

    def __init__(self, *, max_body: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._reader = AnswerReader(max_body=max_body)
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[Answer] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._looks_at = self._by = 0.0
        self._poll: select.poll | None = None
        self._writing = False
        self._is_fresh = True
        self._is_lost = False
        self.is_reusable = True

    @property
    def is_open(self) -> bool:
        """Whether nothing is known against sending a request."""
        transport = self._transport
        return self.is_reusable and not self._is_lost and transport is not None and not transport.is_closing()

    def is_quiet(self) -> bool:
        """Return whether the connection is open and nothing lies unread in its socket.

        A server that closed while this loop was busy is seen here, and nowhere else before the request is lost. Before
        the first answer only the end counts, where the system tells it apart: the tickets of TLS 1.3 may lie there.
        """
        return self.is_open and not (self._poll is not None and self._poll.poll(0))

    async def exchange(self, data: bytes, *, to_head: bool, by: float) -> Answer:
        """Send the bytes of a request and return the answer. Call it only while `is_open`.

        Raises Unanswered, also at `by` (of `loop.time()`). After that, or a cancellation, `abort` the connection.
        """
        assert self._transport is not None  # noqa: S101 - what `is_open` says
        self._reader.expect(to_head=to_head)
        self._waiter = self._loop.create_future()
        self._watch(by)
        self._transport.write(data)
        try:
            answer = await self._waiter
        finally:
            self._waiter = None
        # A server may answer before it has read the whole request; the rest of that would precede the next.
        self.is_reusable = self.is_reusable and self._reader.reusable and not self._writing
        if self._is_fresh and self.is_open:
            self._is_fresh = False
            self._look_for(_READABLE)
        return answer

    def abort(self) -> None:
        """Close at once: no TLS good-bye that a dead server could keep waiting for."""
        self.is_reusable = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        # A cast, because uvloop's transports are no subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        # Not 0: asyncio's TLS takes an empty buffer for one that reached it, and pauses for good.
        self._transport.set_write_buffer_limits(high=1, low=0)
        if hasattr(select, "poll"):  # not to be had on Windows
            self._poll = select.poll()
            self._look_for(_ENDED)

    def pause_writing(self) -> None:
        """See `asyncio.Protocol`: part of the request has not left us."""
        self._writing = True

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._writing = False

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        if self._waiter is None or self._waiter.done():
            self.abort()  # nobody asked
            return
        self._reader.feed(data)
        self._settle()

    def eof_received(self) -> bool:
        """See `asyncio.Protocol`."""
        self._lose()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        if exc is not None:
            self._fail()  # a connection that breaks ends no body
        self._lose()

    def _look_for(self, events: int) -> None:
        if self._poll is not None and self._transport is not None:
            self._poll.register(self._transport.get_extra_info("socket").fileno(), events)

    def _settle(self) -> None:
        """Tell the exchange how it ended, if it has."""
        if self._waiter is None or self._waiter.done():
            return
        if self._reader.answer is not None:
            self._waiter.set_result(self._reader.answer)
        elif self._reader.failed:
            self._fail()

    def _fail(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(Unanswered("request" if self._writing else self._reader.phase))

    def _lose(self) -> None:
        if not self._is_lost:
            self._is_lost = True
            self._reader.finish()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._settle()

    def _watch(self, by: float) -> None:
        """Look at the clock no later than at `by`. A timer that is set already stays: most answers come in time, and
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
            self._fail()
