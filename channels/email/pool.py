"""The connections of one route: bounded, reused, retired in time, and thrown away at the first doubt.

aiosmtplib pairs replies with commands by order alone, so a connection whose dialogue was cut (a cancelled send, a
timeout, a reply that made no sense) would answer the next message with the last one's reply. Such a connection is
discarded; only one whose every command was answered comes back.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiosmtplib

from channels.email.backoff import Backoff, BackoffPolicy
from channels.email.dial import drop
from tocsin.outcome import Deferred, Outcome

_QUIT = b"QUIT\r\n"


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

    __slots__ = ("client", "fresh", "made_at", "messages", "used_at")

    def __init__(self, client: aiosmtplib.SMTP, now: float) -> None:
        self.client = client
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
        dial: Callable[[float], Awaitable[aiosmtplib.SMTP | Outcome]],
        monotonic: Callable[[], float],
    ) -> None:
        self._policy = policy
        self._backoff = Backoff(backoff, monotonic)
        self._dial = dial
        self._monotonic = monotonic
        self._permits = asyncio.Semaphore(policy.connections)
        self._idle: deque[Connection] = deque()

    async def take(self, deadline: float) -> Connection | Outcome:
        """Return a connection that is ready, or why there is none by `deadline` (a time of `loop.time()`).

        What is taken must be given back with `give_back` or `discard`, once.
        """
        if self._permits.locked():
            try:
                async with asyncio.timeout_at(deadline):
                    await self._permits.acquire()
            except TimeoutError:
                return Deferred(cause="no_free_connection")
        else:
            await self._permits.acquire()
        taken: Connection | Outcome | None = None
        try:
            taken = await self._reused(deadline) or await self._made(deadline)
        finally:
            if not isinstance(taken, Connection):
                self._permits.release()
        return taken

    def give_back(self, connection: Connection) -> None:
        """Take back a connection whose every command was answered."""
        self._permits.release()
        connection.used_at = self._monotonic()
        if self._worn(connection):
            _hang_up(connection)
        else:
            self._idle.append(connection)
        self._sweep()

    def discard(self, connection: Connection) -> None:
        """Close a connection that may be out of step."""
        self._permits.release()
        drop(connection.client)

    async def aclose(self) -> None:
        """Hang up on the idle connections, and return when their sockets are closed."""
        while self._idle:
            client = self._idle.pop().client
            _say_quit(client)
            drop(client)
        await asyncio.sleep(0)  # the loop closes aborted sockets in its next turn

    async def _reused(self, deadline: float) -> Connection | None:
        """Return the idle connection that was used last, tried if it rested for long; None if none is fit."""
        self._sweep()
        while self._idle:
            connection = self._idle.pop()
            rested = self._monotonic() - connection.used_at
            if self._worn(connection):
                _hang_up(connection)
            elif (connection.fresh and rested <= self._policy.probe_after) or await self._answers(connection, deadline):
                return connection
        return None

    async def _answers(self, connection: Connection, deadline: float) -> bool:
        """Return whether the connection answers RSET, which also forgets an envelope that was refused."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(min(deadline, loop.time() + self._policy.probe_timeout)):
                await connection.client.rset()
        except (aiosmtplib.SMTPException, OSError):
            drop(connection.client)
            return False
        except BaseException:
            drop(connection.client)
            raise
        connection.fresh = True
        return True

    async def _made(self, deadline: float) -> Connection | Outcome:
        remembered = self._backoff.remembered()
        if remembered is not None:
            return remembered
        found = await self._dial(deadline)
        if not isinstance(found, aiosmtplib.SMTP):
            self._backoff.failed(found)
            return found
        self._backoff.succeeded()
        return Connection(found, self._monotonic())

    def _worn(self, connection: Connection) -> bool:
        now = self._monotonic()
        return (
            not connection.client.is_connected
            or connection.messages >= self._policy.messages
            or now - connection.made_at >= self._policy.age
            or now - connection.used_at >= self._policy.idle
        )

    def _sweep(self) -> None:
        """Hang up on what has rested too long: the oldest lies at the left, because the newest is used first."""
        while self._idle and self._worn(self._idle[0]):
            _hang_up(self._idle.popleft())


def _hang_up(connection: Connection) -> None:
    """Say QUIT and close without waiting for the answer: the connection is of no more use, whatever it says."""
    _say_quit(connection.client)
    connection.client.close()


def _say_quit(client: aiosmtplib.SMTP) -> None:
    if client.protocol is not None and client.protocol.is_connected:
        client.protocol.write(_QUIT)
