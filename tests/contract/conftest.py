"""The adapters under contract. A second event log joins the suite by one more parameter here."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.clock import ManualClock
from tests.support.logs import embedded_config
from tocsin.eventlog.embedded.log import open_log
from tocsin.eventlog.port import EventLog
from tocsin.ledger.embedded import EmbeddedLedger
from tocsin.ledger.port import Ledger
from tocsin.observe.metrics import Metrics

OpenLog = Callable[[], AbstractAsyncContextManager[EventLog]]
OpenLedger = Callable[[], AbstractAsyncContextManager[tuple[EventLog, Ledger]]]


@pytest.fixture
def clock() -> ManualClock:
    """The clock of the log under test."""
    return ManualClock()


@pytest.fixture(params=["embedded"])
def open_event_log(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> OpenLog:
    """Open the log of this test; opening it again finds what was written."""
    assert request.param == "embedded"

    @asynccontextmanager
    async def opened() -> AsyncIterator[EventLog]:
        async with open_log(embedded_config(tmp_path), clock=clock, metrics=Metrics(version="test")) as log:
            yield log

    return opened


@pytest.fixture(params=["embedded"])
def open_ledger(request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock) -> OpenLedger:
    """Open the log and the ledger of this test; opening them again finds what was written."""
    assert request.param == "embedded"

    @asynccontextmanager
    async def opened() -> AsyncIterator[tuple[EventLog, Ledger]]:
        async with open_log(embedded_config(tmp_path), clock=clock, metrics=Metrics(version="test")) as log:
            ledger = EmbeddedLedger(log, clock=clock, lease=timedelta(seconds=90))
            await ledger.open()
            yield log, ledger

    return opened
