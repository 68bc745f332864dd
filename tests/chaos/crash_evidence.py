"""What a dead gateway left behind: its log, read from a copy, and its store."""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import select

from audit.tables import events, lives
from dlq import items
from dlq.items import dead_letters
from tests.support.logs import NOW, embedded_config, reading
from tocsin import delivery, envelope, topics
from tocsin.delivery import Delivery, Lane
from tocsin.eventlog.embedded.log import EmbeddedLog, open_log
from tocsin.lifecycle import AuditEvent, State
from tocsin.observe.metrics import Metrics
from tocsin.record import Received
from tocsin.runtime.clock import SystemClock
from tocsin.store.engine import open_store

CHANNEL = "email"
Life = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The records of the log in the order of their partitions, and what the store made of them."""

    records: list[Received]
    events: list[tuple[datetime, AuditEvent]]
    letters: list[Received]
    stored_events: list[str]
    stored_lives: Mapping[Life, State]
    stored_letters: Mapping[Life, items.Payload]

    def deliveries(self) -> list[Delivery]:
        """Return the delivery in each record."""
        return [delivery.decode(record.value) for record in self.records]


async def gathered(directory: Path) -> Evidence:
    """Read what lies in the data directory of a gateway that is dead."""
    with tempfile.TemporaryDirectory(prefix="tocsin-") as name:
        for file in directory.glob("log.db*"):
            shutil.copy(file, name)
        async with open_log(embedded_config(Path(name)), clock=SystemClock(), metrics=Metrics(version="test")) as log:
            records = await _read(log, topics.delivery(CHANNEL, Lane.NORMAL))
            told = [(each.timestamp, envelope.audit_event(each.value)) for each in await _read(log, topics.AUDIT)]
            letters = await _read(log, topics.dlq(CHANNEL))
    async with open_store(f"sqlite:///{directory / 'store.db'}") as store, store.read() as connection:
        stored_events = list(await connection.scalars(select(events.c.id)))
        lived = await connection.execute(select(lives.c.delivery_id, lives.c.life, lives.c.state))
        stored_lives = {(row.delivery_id, row.life): State(row.state) for row in lived}
        found = select(dead_letters.c.id, dead_letters.c.delivery_id, dead_letters.c.life)
        stored_letters = {
            (row.delivery_id, row.life): await items.payload(connection, row.id)
            for row in (await connection.execute(found)).all()
        }
    return Evidence(
        records=records,
        events=told,
        letters=letters,
        stored_events=stored_events,
        stored_lives=stored_lives,
        stored_letters=stored_letters,
    )


async def _read(log: EmbeddedLog, topic: str) -> list[Received]:
    found: list[Received] = []
    async with reading(log, topic) as subscription:
        while records := await subscription.fetch(limit=1000, wait=NOW):
            found.extend(records)
    return found
