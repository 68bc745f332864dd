"""A bounded number of places, for which those who come later wait in line, up to their deadline."""

import asyncio
from collections import deque


class Places:
    """So many at a time. `asyncio.Semaphore` under `asyncio.timeout_at` would do, at five times the cost."""

    def __init__(self, total: int) -> None:
        self._free = total
        self._waiting: deque[asyncio.Future[bool]] = deque()

    async def take(self, deadline: float) -> bool:
        """Take a place; return False if none was free by `deadline` (a time of `loop.time()`)."""
        if self._free:
            self._free -= 1
            return True
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[bool] = loop.create_future()
        timer = loop.call_at(deadline, _give_up, turn)
        self._waiting.append(turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if not turn.cancelled() and turn.result():
                self.give()  # the place came together with the cancellation
            raise
        finally:
            timer.cancel()

    def give(self) -> None:
        """Give a place back: to who waited longest, if anybody does."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(True)
                return
        self._free += 1


def _give_up(turn: asyncio.Future[bool]) -> None:
    if not turn.done():
        turn.set_result(False)
