"""The calls under way at one provider, and who waits for one to end: urgent ones first, else as they came."""

import asyncio
from collections import deque

import msgspec


class _Turn(msgspec.Struct, frozen=True):
    granted: asyncio.Future[bool]
    until: float


class Turns:
    """At most `limit` calls at a time; the limit may change. No timer runs here: who looks at the time calls `expire`.

    Every True of `enter` and `wait` is given back with one `leave`.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.under_way = 0
        self._urgent: deque[_Turn] = deque()
        self._others: deque[_Turn] = deque()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._urgent) + len(self._others)

    def enter(self) -> bool:
        """Begin a call if there is room; return whether there was."""
        if self.under_way >= self.limit:
            return False
        self.under_way += 1
        return True

    async def wait(self, *, until: float, urgent: bool) -> bool:
        """Begin a call as soon as it is one's turn; return False if that was not to be (see `expire`, `dismiss`)."""
        turn = _Turn(asyncio.get_running_loop().create_future(), until)
        (self._urgent if urgent else self._others).append(turn)
        try:
            return await turn.granted
        except asyncio.CancelledError:
            if not turn.granted.cancelled() and turn.granted.result():
                self.leave()  # the turn came together with the cancellation
            raise

    def leave(self) -> None:
        """End a call, and let in who is next."""
        self.under_way -= 1
        while self.under_way < self.limit and self._grant():
            self.under_way += 1

    def expire(self, now: float) -> None:
        """Send away those who have waited until their time."""
        for line in (self._urgent, self._others):
            while line and line[0].until <= now:
                _answer(line.popleft(), granted=False)

    def dismiss(self) -> None:
        """Send everybody away."""
        self.expire(float("inf"))

    def _grant(self) -> bool:
        for line in (self._urgent, self._others):
            while line:
                if _answer(line.popleft(), granted=True):
                    return True
        return False


def _answer(turn: _Turn, *, granted: bool) -> bool:
    """Answer one who waits; return False if nobody does any more."""
    if turn.granted.done():
        return False
    turn.granted.set_result(granted)
    return True
