"""The connections of one route: bounded, reused, retired in time, and thrown away at the first doubt.

Replies are paired with commands by order alone, so a connection whose dialogue was cut (a cancelled send, a timeout,
a reply that made no sense) would answer the next message with the last one's reply. Such a connection is
discarded; only one whose every command was answered comes back.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from channels.email.wire import Wire, WireLostError
from tocsin.net.backoff import Backoff, BackoffPolicy
from tocsin.net.places import Places
from tocsin.outcome import Deferred, Outcome

_OK = 250


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolPolicy:
    """Bounds of a pool. Times in seconds."""

    connections: int
    messages: int
    age: float
    idle: float
    probe_after: float
    probe_timeout: float


class Connection:
    """A connection that is held by one send. `fresh` says that its envelope is known to be empty."""

    __slots__ = ("fresh", "made_at", "messages", "used_at", "wire")

    def __init__(self, wire: Wire, now: float) -> None:
        self.wire = wire
        self.made_at = self.used_at = now
        self.messages = 0
        self.fresh = True


class Pool:
    """Idle connections, and the right to make more. All times but deadlines are of `monotonic`."""

    def __init__(
        self,
        *,
        policy: PoolPolicy,
        backoff: BackoffPolicy,
        dial: Callable[[float], Awaitable[Wire | Outcome]],
        monotonic: Callable[[], float],
    ) -> None:
        self._policy = policy
        self._backoff = Backoff[Outcome](backoff, monotonic)
        self._dial = dial
        self._monotonic = monotonic
        self._places = Places(policy.connections)
        self._idle: deque[Connection] = deque()

    async def take(self, deadline: float) -> Connection | Outcome:
        """Return a connection that is ready, or why there is none by `deadline` (a time of `loop.time()`).

        What is taken must be given back with `give_back` or `discard`, once.
        """
        if not await self._places.take(deadline):
            return Deferred(cause="no_free_connection")
        taken: Connection | Outcome | None = None
        try:
            taken = await self._reused(deadline) or await self._made(deadline)
        finally:
            if not isinstance(taken, Connection):
                self._places.give()
        return taken

    def give_back(self, connection: Connection) -> None:
        """Take back a connection whose every command was answered."""
        self._places.give()
        now = connection.used_at = self._monotonic()
        if self._worn(connection, now):
            connection.wire.hang_up()
        else:
            self._idle.append(connection)
        self._sweep(now)

    def discard(self, connection: Connection) -> None:
        """Close a connection that may be out of step."""
        self._places.give()
        connection.wire.abort()

    async def aclose(self) -> None:
        """Hang up on the idle connections, and return when their sockets are closed."""
        while self._idle:
            wire = self._idle.pop().wire
            wire.hang_up()
            wire.abort()
        await asyncio.sleep(0)  # the loop closes aborted sockets in its next turn

    async def _reused(self, deadline: float) -> Connection | None:
        """Return the idle connection that was used last, tried if it rested for long; None if none is fit."""
        self._sweep(self._monotonic())
        while self._idle:
            connection = self._idle.pop()
            now = self._monotonic()
            rested = now - connection.used_at
            if self._worn(connection, now):
                connection.wire.hang_up()
            elif (connection.fresh and rested <= self._policy.probe_after) or await self._answers(connection, deadline):
                return connection
        return None

    async def _answers(self, connection: Connection, deadline: float) -> bool:
        """Return whether the connection answers RSET, which also forgets an envelope that was refused."""
        try:
            reply = await connection.wire.command(b"RSET", by=deadline, within=self._policy.probe_timeout)
        except (WireLostError, TimeoutError):
            connection.wire.abort()
            return False
        except BaseException:
            connection.wire.abort()
            raise
        connection.fresh = reply.code == _OK
        if not connection.fresh:
            connection.wire.abort()
        return connection.fresh

    async def _made(self, deadline: float) -> Connection | Outcome:
        remembered = self._backoff.remembered()
        if remembered is not None:
            return remembered
        found = await self._dial(deadline)
        if not isinstance(found, Wire):
            self._backoff.failed(found)
            return found
        self._backoff.succeeded()
        return Connection(found, self._monotonic())

    def _worn(self, connection: Connection, now: float) -> bool:
        return (
            not connection.wire.is_open
            or connection.messages >= self._policy.messages
            or now - connection.made_at >= self._policy.age
            or now - connection.used_at >= self._policy.idle
        )

    def _sweep(self, now: float) -> None:
        """Hang up on what has rested too long: the oldest lies at the left, because the newest is used first."""
        while self._idle and self._worn(self._idle[0], now):
            self._idle.popleft().wire.hang_up()
