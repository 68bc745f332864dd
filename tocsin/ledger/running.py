"""The claims of this process that run.

The same source, come back after a rebalance, waits until its earlier attempt ends; any other source is a fork, whatever
becomes of the one that runs.
"""

import asyncio
from datetime import timedelta
from typing import NamedTuple

from tocsin.clock import Clock
from tocsin.ledger.port import AttemptKey, Settlement
from tocsin.record import Source


class _Claim(NamedTuple):
    source: Source
    ended: asyncio.Event


class RunningClaims:
    """What a ledger keeps in memory, whatever it stands on."""

    def __init__(self, clock: Clock, *, lease: timedelta) -> None:
        self._clock = clock
        self._lease = lease
        self._claims: dict[AttemptKey, _Claim] = {}

    @property
    def keys(self) -> list[AttemptKey]:
        """The attempts that run."""
        return list(self._claims)

    async def begin(self, key: AttemptKey, source: Source) -> bool:
        """Take note of a claim, after an earlier one of its source; return False where another source's runs."""
        while (running := self._claims.get(key)) is not None:
            if running.source != source:
                return False
            if not await self._ended(running.ended) and self._claims.get(key) is running:
                del self._claims[key]
        self._claims[key] = _Claim(source, asyncio.Event())
        return True

    def end(self, key: AttemptKey, source: Source) -> None:
        """Forget a claim, if it is this source's."""
        running = self._claims.get(key)
        if running is not None and running.source == source:
            del self._claims[key]
            running.ended.set()

    def settled(self, settlement: Settlement) -> None:
        """Forget the claims that a settlement ends."""
        for key in (settlement.key, settlement.gives_back):
            if key is not None:
                self.end(key, settlement.source)

    async def _ended(self, ended: asyncio.Event) -> bool:
        """Wait until an attempt ends, at most as long as its lease; return whether it did."""
        waiting = asyncio.ensure_future(ended.wait())
        lease = asyncio.ensure_future(self._clock.sleep(self._lease))
        try:
            await asyncio.wait({waiting, lease}, return_when=asyncio.FIRST_COMPLETED)
            return ended.is_set()
        finally:
            waiting.cancel()
            lease.cancel()
            await asyncio.gather(waiting, lease, return_exceptions=True)
