"""Stops intake where the audit is so far behind that the log might drop events before they were read.

Only a log that deletes by age alone can do so; the embedded one never deletes what a group has yet to read.
"""

from datetime import timedelta

from loguru import logger

from tocsin import topics
from tocsin.clock import Clock
from tocsin.consume.stopping import Stop
from tocsin.errors import LogError, LogFull
from tocsin.eventlog.port import EventLog

_EVERY = timedelta(seconds=30)


class Backlog:
    """A `Loop` that asks the log now and then. `retention` is how long it keeps the audit's events."""

    name = "producer.backlog"

    def __init__(self, log: EventLog, *, retention: timedelta, clock: Clock) -> None:
        self._log = log
        self._limit = retention / 2
        self._clock = clock
        self._stop = Stop(clock)
        self.detail = ""

    def take_intake(self) -> None:
        """Raise LogFull while the audit is too far behind."""
        if self.detail:
            raise LogFull(self.detail)

    def stop(self) -> None:
        """See `Loop`."""
        self._stop.request()

    async def run(self) -> None:
        """See `Loop`."""
        await self._stop.repeat(self._look, every=_EVERY)

    async def _look(self) -> None:
        border = self._clock.now() - self._limit
        try:
            behind = await self._log.behind(topics.sink_group("audit", "ingest"), topics.AUDIT, before=border)
        except LogError as error:
            # What cannot be asked now is no reason to refuse: whether the log takes writes is known elsewhere.
            logger.warning("audit_backlog_unknown", error=str(error))
            return
        detail = f"the audit is behind by more than {self._limit}, half of what the log keeps" if behind else ""
        if detail and not self.detail:
            logger.error("audit_backlog_too_long", limit_seconds=self._limit.total_seconds())
        self.detail = detail
