"""Who waits for which notification to appear in the audit. Woken by the commit that holds it, never by polling."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from tocsin.clock import Clock
from tocsin.record import Received


class Arrival:
    """What one caller waits for."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._over = asyncio.Event()
        self._came = False

    def came(self) -> None:
        """Say that it is there."""
        self._came = True
        self._over.set()

    async def within(self, patience: timedelta) -> bool:
        """Wait for it, at most `patience`, and return whether it came."""
        timer = self._clock.call_at(self._clock.now() + patience, self._over.set)
        try:
            await self._over.wait()
        finally:
            timer.cancel()
        return self._came


class Arrivals:
    """All that are waited for, by notification id."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._expected: dict[bytes, set[Arrival]] = {}

    @contextmanager
    def expected(self, notification_id: str) -> Iterator[Arrival]:
        """Expect a notification. To be entered before looking for it, so that it cannot come unnoticed in between."""
        key, arrival = notification_id.encode(), Arrival(self._clock)
        self._expected.setdefault(key, set()).add(arrival)
        try:
            yield arrival
        finally:
            waiting = self._expected[key]
            waiting.discard(arrival)
            if not waiting:
                del self._expected[key]

    def committed(self, batch: Sequence[Received]) -> None:
        """Wake those who wait for anything in a batch that can now be read. Audit records are keyed by notification."""
        if not self._expected:
            return
        for key in {received.key for received in batch}:
            for arrival in self._expected.get(key or b"", ()):
                arrival.came()
