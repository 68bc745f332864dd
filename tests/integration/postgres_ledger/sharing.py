"""Processes that share one log and one database, and what they submit and settle.

A process that crashes is a ledger that is left as it is, with another one opened beside it.
"""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

from tests.support.clock import ManualClock
from tests.support.logs import NOW, embedded_config, reading
from tocsin.clock import Clock, to_ms
from tocsin.eventlog.embedded.log import open_log
from tocsin.eventlog.port import EventLog, Publisher
from tocsin.ledger.port import AttemptKey, Settlement, Submission, SubmitClaim
from tocsin.ledger.postgres import PostgresLedger, PostgresLedgerConfig, open_ledger
from tocsin.lifecycle import State
from tocsin.observe.metrics import Metrics
from tocsin.record import Record, Source
from tocsin.store.engine import Store, open_store
from tocsin.topics import TopicSpec

TOPIC = "notifications.test"
DELIVERY = "dlv_" + "0" * 26
KEY = AttemptKey(DELIVERY, 0, 1)
HERE, THERE = Source("notifications.email", 1, 2), Source("notifications.email", 1, 3)
LEASE = timedelta(seconds=90)
SUBMIT_LEASE = timedelta(seconds=15)
CONFIG = PostgresLedgerConfig(lease=LEASE, submit_lease=SUBMIT_LEASE, patience=timedelta())


class Gone(Exception):
    """The process ends here."""


@dataclass
class Torn:
    """A publisher that fails as it is told to: before it writes, or after."""

    publisher: Publisher
    before: list[Exception] = field(default_factory=list)
    after: list[Exception] = field(default_factory=list)

    async def write(self, records: Sequence[Record]) -> None:
        if self.before:
            raise self.before.pop()
        await self.publisher.write(records)
        if self.after:
            raise self.after.pop()


@dataclass(frozen=True, kw_only=True)
class Gateways:
    """One log and one database, and any number of processes that use them."""

    log: EventLog
    url: str
    clock: Clock
    stack: AsyncExitStack
    config: PostgresLedgerConfig = CONFIG

    async def store(self) -> Store:
        return await self.stack.enter_async_context(open_store(self.url))

    async def start(self) -> tuple[PostgresLedger, Torn]:
        """Start a process; return its ledger and its way to the log."""
        publisher = Torn(await self.stack.enter_async_context(self.log.publisher()))
        opened = open_ledger(
            store=await self.store(),
            log=self.log,
            publisher=publisher,
            clock=self.clock,
            config=self.config,
            owner=uuid4().hex,
            now_ms=self.now_ms,
        )
        return await self.stack.enter_async_context(opened), publisher

    def now_ms(self) -> int | None:
        return to_ms(self.clock.now()) if isinstance(self.clock, ManualClock) else None

    async def written(self) -> list[bytes]:
        """Return everything in the topic so far."""
        found: list[bytes] = []
        async with reading(self.log, TOPIC, group="look") as subscription:
            await subscription.seek(dict.fromkeys(subscription.assigned, 0))
            while records := await subscription.fetch(limit=1000, wait=NOW):
                found.extend(each.value for each in records)
        return found


async def opened(stack: AsyncExitStack, url: str, directory: Path, clock: Clock) -> Gateways:
    """Open a log in the directory, for processes that share it and the database."""
    config = embedded_config(directory)
    log = await stack.enter_async_context(open_log(config, clock=clock, metrics=Metrics(version="test")))
    await log.ensure_topics([TopicSpec(name=TOPIC, kind="delivery")])
    return Gateways(log=log, url=url, clock=clock, stack=stack)


def record(value: bytes) -> Record:
    return Record(topic=TOPIC, key=b"k", value=value)


def retrying(value: bytes = b"retry", *, source: Source = HERE, key: AttemptKey = KEY) -> Settlement:
    return Settlement(source=source, records=(record(value),), key=key, life=(key.delivery_id, key.life))


def expired(value: bytes = b"expired", *, source: Source = HERE) -> Settlement:
    return Settlement(source=source, records=(record(value),), life=(DELIVERY, 0), terminal=State.EXPIRED)


def submission(value: bytes, now: datetime, *, key: str = "k", body: bytes = b"body") -> Submission:
    claim = SubmitClaim(tenant="t", key=key, fingerprint=body, expires_at=now + timedelta(hours=1))
    return Submission(records=(record(value),), answer=b"answer to " + value, claim=claim)
