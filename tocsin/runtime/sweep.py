"""Lets the ledger forget what can no longer be repeated."""

from datetime import timedelta
from typing import Protocol

from loguru import logger

from tocsin.clock import Clock
from tocsin.consume.stopping import Stop
from tocsin.errors import LogError

_EVERY = timedelta(minutes=1)


class Forgetful(Protocol):
    """A ledger that can be swept."""

    async def forget(self, *, older_than: timedelta) -> int:
        """Delete some rows of what is over; return how many."""


class Sweep:
    """A `Loop` that sweeps the ledger once a minute, in small transactions."""

    name = "tocsin.ledger.sweep"

    def __init__(self, ledger: Forgetful, *, clock: Clock, keep: timedelta) -> None:
        self._ledger = ledger
        self._keep = keep
        self._stop = Stop(clock)

    def stop(self) -> None:
        """See `Loop`."""
        self._stop.request()

    async def run(self) -> None:
        """See `Loop`."""
        await self._stop.repeat(self._sweep, every=_EVERY)

    async def _sweep(self) -> None:
        try:
            while await self._ledger.forget(older_than=self._keep) and not self._stop.requested:
                pass
        except LogError as error:
            logger.warning("ledger_sweep_failed", error=str(error))
