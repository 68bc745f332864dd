"""The connections to one origin: bounded, reused, retired in time, and thrown away at the first doubt."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tocsin.net.connection import Connection
from tocsin.net.http import NotSent
from tocsin.net.places import Places


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolPolicy:
    """Bounds of a pool. Times in seconds. Common servers close what rested for 60, so we let go earlier."""

    connections: int
    idle: float = 30.0
    age: float = 300.0


class Held:
    """A connection that is held by one send."""

    __slots__ = ("connection", "made_at", "used_at")

    def __init__(self, connection: Connection, now: float) -> None:
        self.connection = connection
        self.made_at = self.used_at = now


class Pool:
    """Idle connections, and the right to make more. All times but deadlines are of `monotonic`.

    `unused` is called whenever nobody waits, holds or has left a connection here.
    """

    def __init__(
        self,
        *,
        policy: PoolPolicy,
        dial: Callable[[float], Awaitable[Connection]],
        monotonic: Callable[[], float],
        unused: Callable[[], None],
    ) -> None:
        self._policy = policy
        self._dial = dial
        self._monotonic = monotonic
        self._unused = unused
        self._places = Places(policy.connections)
        self._idle: deque[Held] = deque()
        self._users = 0
        self._timer: asyncio.TimerHandle | None = None

    async def take(self, deadline: float) -> Held:
        """Return a connection that is ready by `deadline` (a time of `loop.time()`). Raises NotSent.

        What is taken must be given back with `give_back` or `discard`, once.
        """
        self._users += 1
        placed = False
        try:
            placed = await self._places.take(deadline)
        finally:
            if not placed:
                self._leave()
        if not placed:
            raise NotSent("no_free_connection")
        return await self._connection(deadline)

    async def replace(self, held: Held, deadline: float) -> Held:
        """Close a connection and return another in its place. Raises NotSent; then nothing is held any more."""
        held.connection.abort()
        return await self._connection(deadline)

    def give_back(self, held: Held) -> None:
        """Take back a connection. It is kept if another request can be made over it."""
        held.used_at = self._monotonic()
        if self._is_worn(held):
            held.connection.abort()
        else:
            self._idle.append(held)
            self._sweep_later()
        self._places.give()
        self._leave()

    def discard(self, held: Held) -> None:
        """Close a connection whose exchange was cut."""
        held.connection.abort()
        self._places.give()
        self._leave()

    def close(self) -> None:
        """Close the idle connections. The loop closes their sockets in its next turn."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._idle:
            self._idle.pop().connection.abort()

    async def _connection(self, deadline: float) -> Held:
        """Return a connection, old or new, for a place that is taken; the place is given back if there is none."""
        try:
            return self._reused() or Held(await self._dial(deadline), self._monotonic())
        except BaseException:
            self._places.give()
            self._leave()
            raise

    def _reused(self) -> Held | None:
        """Return the idle connection that was used last; None if none is fit."""
        while self._idle:
            held = self._idle.pop()
            if not self._is_worn(held) and held.connection.is_quiet():
                return held
            held.connection.abort()
        return None

    def _is_worn(self, held: Held) -> bool:
        now = self._monotonic()
        return (
            not held.connection.is_open
            or now - held.made_at >= self._policy.age
            or now - held.used_at >= self._policy.idle
        )

    def _leave(self) -> None:
        self._users -= 1
        if not self._users and not self._idle:
            self._unused()

    def _sweep_later(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._policy.idle, self._sweep)

    def _sweep(self) -> None:
        """Close what has rested too long: the oldest lies at the left, because the newest is used first."""
        self._timer = None
        while self._idle and self._is_worn(self._idle[0]):
            self._idle.popleft().connection.abort()
        if self._idle:
            self._sweep_later()
        elif not self._users:
            self._unused()
