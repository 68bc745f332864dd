"""The adapters under contract. Another one joins the suite by one more parameter here."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support import postgres
from tests.support.clock import ManualClock
from tests.support.kafka_logs import kafka_settings, make_topics, open_kafka_log
from tests.support.logs import embedded_config, reading, write
from tests.support.postgres import Databases, databases
from tests.support.postgres_ledgers import postgres_ledger
from tocsin.eventlog.embedded.log import open_log
from tocsin.eventlog.port import EventLog, Subscription
from tocsin.ledger.embedded import EmbeddedLedger
from tocsin.ledger.port import Ledger
from tocsin.observe.metrics import Metrics
from tocsin.record import Record
from tocsin.topics import TopicSpec

__all__ = ["databases"]

OpenLedger = Callable[[], AbstractAsyncContextManager[tuple[EventLog, Ledger]]]


class Logs:
    """The log of one test, and the names that are its own in it."""

    def __init__(self, suffix: str, open_: Callable[[], AbstractAsyncContextManager[EventLog]]) -> None:
        self.open = open_
        self.topic = f"notifications.test{suffix}"
        self.specs = [TopicSpec(name=self.topic, kind="delivery")]
        self._suffix = suffix

    def group(self, name: str) -> str:
        """Return a group's name."""
        return f"{name}{self._suffix}"

    def record(self, number: int, *, key: bytes | None = None) -> Record:
        """Return a record that tells its number."""
        return Record(topic=self.topic, key=key or b"key-%d" % number, value=b"value-%d" % number)

    async def fill(self, log: EventLog, count: int, *, key: bytes | None = None) -> None:
        """Write so many records."""
        await log.ensure_topics(self.specs)
        await write(log, *(self.record(number, key=key) for number in range(count)))

    def reading(self, log: EventLog, *, group: str = "readers") -> AbstractAsyncContextManager[Subscription]:
        """Subscribe to the topic."""
        return reading(log, self.topic, group=self.group(group))


@pytest.fixture
def clock() -> ManualClock:
    """The clock of the log under test."""
    return ManualClock()


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.xdist_group("kafka"))])
def bootstrap(request: pytest.FixtureRequest) -> str | None:
    """Return where the Kafka is that is under test, None for the embedded log."""
    if request.param == "embedded":
        return None
    found: str = request.getfixturevalue("kafka_bootstrap")
    return found


@pytest.fixture
async def logs(bootstrap: str | None, tmp_path: Path, clock: ManualClock) -> Logs:
    """Return the log of this test: opening it again finds what was written."""
    metrics = Metrics(version="test")
    if bootstrap is None:
        return Logs("", lambda: open_log(embedded_config(tmp_path), clock=clock, metrics=metrics))
    settings = kafka_settings(bootstrap)
    # One cluster for all tests: each has topics and groups of its own.
    found = Logs(f".{uuid4().hex[:8]}", lambda: open_kafka_log(settings, clock=clock, metrics=metrics))
    await make_topics(settings, found.specs)
    return found


@pytest.fixture(params=["embedded", pytest.param("postgres", marks=postgres.GROUP)])
async def open_ledger(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> AsyncIterator[OpenLedger]:
    """Open the log and the ledger of this test; opening them again finds what was written, as after a crash."""
    metrics = Metrics(version="test")
    lease = timedelta(seconds=90)

    @asynccontextmanager
    async def embedded() -> AsyncIterator[tuple[EventLog, Ledger]]:
        async with open_log(embedded_config(tmp_path), clock=clock, metrics=metrics) as log:
            ledger = EmbeddedLedger(log, clock=clock, lease=lease)
            await ledger.open()
            yield log, ledger

    if request.param == "embedded":
        yield embedded
        return
    databases: Databases = request.getfixturevalue("databases")
    async with databases.migrated() as url:
        yield lambda: postgres_ledger(url, tmp_path, clock=clock, lease=lease)
