"""What keeps a loop from its work: told once, waited for longer each time, and over when something works again."""

from datetime import timedelta

from loguru import logger

from tocsin.consume.stopping import Stop

_FIRST_PAUSE = timedelta(milliseconds=500)
_LONGEST_PAUSE = timedelta(seconds=10)


class Trouble:
    """Belongs to one loop, which waits with its `stop`. `detail` is why nothing works, else empty."""

    def __init__(self, stop: Stop, *, group: str) -> None:
        self._stop = stop
        self._group = group
        self._pause = _FIRST_PAUSE
        self.detail = ""

    async def met(self, error: Exception) -> None:
        """Take note of a failure, and wait before the next try."""
        if not self.detail:
            logger.error("intake_halted", group=self._group, error=str(error))
        self.detail = str(error)
        pause, self._pause = self._pause, min(self._pause * 2, _LONGEST_PAUSE)
        await self._stop.pause(pause)

    def over(self) -> None:
        """Take note that something worked."""
        if self.detail:
            logger.info("intake_resumed", group=self._group)
        self.detail = ""
        self._pause = _FIRST_PAUSE
