"""Few long-lived HTTP/2 connections to one origin, made when they are needed, and requests that find one.

A request that the peer has surely not worked on is made again here, on another stream or connection, as part of the
same attempt. Everything else is told as it is.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from channels.push.h2_connection import Http2Connection
from channels.push.h2_fields import Headers
from channels.push.h2_stream import Unprocessed
from tocsin.net.backoff import Backoff
from tocsin.net.http import Answer, Claim, NotSent, Request
from tocsin.net.origin import Origin

Dial = Callable[[Callable[[], None]], Awaitable[Http2Connection]]

# How often one request is sent while the peer says each time that it did not work on it.
_MOST_SENDS = 8
_CLOSE_SECONDS = 1.0


class Http2Pool:
    """Fulfils `tocsin.net.http.HttpClient` for one origin, over at most so many `connections`."""

    def __init__(self, *, origin: Origin, connections: int, dial: Dial, backoff: Backoff[NotSent]) -> None:
        self._origin = origin
        self._connections = connections
        self._dial = dial
        self._backoff = backoff
        # Those that take requests, and those that still finish some.
        self._live: list[Http2Connection] = []
        self._leaving: list[Http2Connection] = []
        self._waiting: deque[asyncio.Future[Http2Connection]] = deque()
        self._dialling: asyncio.Task[None] | None = None
        self._closed = False

    async def send(self, request: Request, *, deadline: float, claim: Claim | None = None) -> Answer:
        """Make one request, as the port demands.

        `claim` is awaited with a free stream held. What the peer did not work on is sent again without another claim.
        """
        headers = self._headers(request)
        for sends in range(_MOST_SENDS):
            connection = await self._take(deadline, first=sends > 0)
            if claim is not None:
                try:
                    await claim()
                except BaseException:
                    connection.let_go()
                    raise
                claim = None
            try:
                answer = await connection.exchange(headers, request.body, deadline=deadline)
            except Unprocessed:
                continue
            self._backoff.succeeded()
            return answer
        raise NotSent("unprocessed")

    async def aclose(self) -> None:
        """Close the connections."""
        self._closed = True
        if self._dialling is not None:
            self._dialling.cancel()
            await asyncio.gather(self._dialling, return_exceptions=True)
        open_ = [*self._live, *self._leaving]
        await asyncio.gather(*(connection.aclose(_CLOSE_SECONDS) for connection in open_))
        await asyncio.sleep(0)  # the loop closes aborted sockets in its next turn

    def _headers(self, request: Request) -> Headers:
        authority = self._origin.authority
        path = request.url.removeprefix(f"https://{authority}")
        if path == request.url:
            raise ValueError("the request is for another origin")
        return [
            (":method", request.method),
            (":scheme", "https"),
            (":authority", authority),
            (":path", path),
            *request.headers.items(),
            ("content-length", str(len(request.body))),
        ]

    async def _take(self, deadline: float, *, first: bool) -> Http2Connection:
        """Return a connection with a stream of it held. Raises NotSent. `first`: ahead of those who wait already."""
        if not self._waiting and (free := self._free()):
            free.hold()
            return free
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[Http2Connection] = loop.create_future()
        if first:
            self._waiting.appendleft(turn)
        else:
            self._waiting.append(turn)
        self._match()
        timer = loop.call_at(deadline, _fail, turn, NotSent("no_free_stream"))
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                turn.result().let_go()  # the stream came together with the cancellation
            raise
        finally:
            timer.cancel()

    def _match(self) -> None:
        """Give free streams to those who wait longest, and see to another connection if somebody still waits."""
        self._sort()
        while self._waiting:
            if self._waiting[0].done():
                self._waiting.popleft()
                continue
            connection = self._free()
            if connection is None:
                break
            connection.hold()
            self._waiting.popleft().set_result(connection)
        if self._waiting and self._dialling is None and len(self._live) < self._connections:
            self._grow()

    def _free(self) -> Http2Connection | None:
        """Return the connection with a free stream that has least to do."""
        found = None
        for connection in self._live:
            if connection.has_room and (found is None or connection.busy < found.busy):
                found = connection
        return found

    def _sort(self) -> None:
        """Set aside the connections that take no more requests. One that never did its work counts as failed."""
        gone = [connection for connection in self._live if not connection.usable]
        for connection in gone:
            self._live.remove(connection)
            self._leaving.append(connection)
            if not connection.has_answered and not connection.busy:
                self._backoff.failed(NotSent("connection_lost"))
        self._leaving = [connection for connection in self._leaving if not connection.closed.done()]

    def _grow(self) -> None:
        failure = NotSent("closed") if self._closed else self._backoff.remembered()
        if failure is None:
            self._dialling = asyncio.get_running_loop().create_task(self._add())
        elif not self._live:
            self._give_up(failure)

    async def _add(self) -> None:
        """Make one connection. If it fails and there is no other, nobody need wait any longer."""
        try:
            self._live.append(await self._dial(self._match))
        except NotSent as failure:
            self._backoff.failed(failure)
            if not self._live:
                self._give_up(failure)
        except Exception as bug:  # noqa: BLE001 - it is told to those who wait, whose task it is not
            self._give_up(bug)
        finally:
            self._dialling = None
        self._match()

    def _give_up(self, failure: Exception) -> None:
        while self._waiting:
            _fail(self._waiting.popleft(), failure)


def _fail(turn: asyncio.Future[Http2Connection], failure: Exception) -> None:
    if not turn.done():
        turn.set_exception(failure)
