"""A store with the tables of the dead-letter service in it, and what stands on it."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from dlq import items
from dlq.decisions import Decisions
from tests.support.clock import ManualClock
from tests.unit.dlq import support
from tests.unit.dlq.support import Log
from tocsin.store.engine import Store, open_store


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(f"sqlite:///{tmp_path / 'store.db'}") as opened:
        async with opened.write() as connection:
            await connection.run_sync(items.metadata.create_all)
        yield opened


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(support.NOW)


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def decisions(store: Store, log: Log, clock: ManualClock) -> Decisions:
    return Decisions(store=store, ledger=log, publisher=log, clock=clock, timeout=timedelta(seconds=5))
