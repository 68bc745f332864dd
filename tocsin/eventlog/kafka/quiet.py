"""Keeps an outage from filling the logs: aiokafka tells the same ten times a second, each of its clients does."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

_ROOT = "aiokafka"
_APART_SECONDS = 10.0
# Of what is told with its values already in the text there may be any number.
_MOST = 1000


class Throttle(logging.Filter):
    """Lets what is told again and again through once in a while, with how often it was told in between."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._monotonic = monotonic
        self._told: dict[tuple[str, int, str], _Told] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether it is told now. The same is what differs in its values only."""
        now = self._monotonic()
        # Before its values are put in, so that another port or number is no other message.
        key = (record.name, record.levelno, str(record.msg))
        told = self._told.get(key)
        if told is not None and now - told.at < _APART_SECONDS:
            told.more += 1
            return False
        if told is not None and told.more:
            record.msg = f"{record.getMessage()} ({told.more} more like it since {now - told.at:.0f} s)"
            record.args = None
        if len(self._told) >= _MOST:
            self._told.clear()
        self._told[key] = _Told(now)
        return True


@dataclass(slots=True)
class _Told:
    at: float
    more: int = 0


def hush() -> None:
    """Have aiokafka tell its troubles once in a while. Once for a process; again does nothing."""
    throttle = Throttle()
    for name, logger in logging.root.manager.loggerDict.items():
        # A filter holds for what is told to its own logger, not for what comes from those below.
        if name.partition(".")[0] != _ROOT or not isinstance(logger, logging.Logger):
            continue
        if not any(isinstance(each, Throttle) for each in logger.filters):
            logger.addFilter(throttle)
