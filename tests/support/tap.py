"""A service that is in the gateway under test for one thing: to hand its log to the test."""

import os
from dataclasses import dataclass, field

import pytest

from tests.support.logs import NOW, reading
from tocsin.eventlog.port import EventLog
from tocsin.record import Received, Record
from tocsin.runtime import discover
from tocsin.runtime.service import Context, Part, Service


@dataclass
class Tap:
    """The log of the gateway that was started last."""

    _context: list[Context] = field(default_factory=list)

    @property
    def log(self) -> EventLog:
        """The log."""
        return self._context[-1].log

    async def write(self, *records: Record) -> None:
        """Write records, as a client of the log would."""
        await self._context[-1].publisher.write(records)

    async def read(self, topic: str) -> list[Received]:
        """Return everything in a topic."""
        found: list[Received] = []
        async with reading(self.log, topic, group=f"look-{os.urandom(4).hex()}") as subscription:
            while records := await subscription.fetch(limit=1000, wait=NOW):
                found.extend(records)
        return found

    def build(self, context: Context) -> Part:
        """Take the context; add nothing."""
        self._context.append(context)
        return Part()


def tapped(monkeypatch: pytest.MonkeyPatch) -> Tap:
    """Return the tap of the gateways that are started from now on."""
    tap, services = Tap(), discover.services()
    monkeypatch.setattr(discover, "services", lambda: [*services, Service(name="tap", settings={}, build=tap.build)])
    return tap
