"""Ledgers in PostgreSQL over an embedded log, by a clock that moves when told."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from tests.support.clock import ManualClock
from tests.support.logs import embedded_config
from tocsin.clock import to_ms
from tocsin.eventlog.embedded.log import open_log
from tocsin.eventlog.port import EventLog
from tocsin.ledger.port import Ledger
from tocsin.ledger.postgres import PostgresLedgerConfig, open_ledger
from tocsin.observe.metrics import Metrics
from tocsin.store.engine import open_store


@asynccontextmanager
async def postgres_ledger(
    url: str, directory: Path, *, clock: ManualClock, lease: timedelta
) -> AsyncIterator[tuple[EventLog, Ledger]]:
    """Open a log in the directory, and the ledger in the database over it."""
    async with (
        open_log(embedded_config(directory), clock=clock, metrics=Metrics(version="test")) as log,
        log.publisher() as publisher,
        open_store(url) as store,
        open_ledger(
            store=store,
            log=log,
            publisher=publisher,
            clock=clock,
            config=PostgresLedgerConfig(lease=lease),
            owner=uuid4().hex,
            now_ms=lambda: to_ms(clock.now()),
        ) as ledger,
    ):
        yield log, ledger
