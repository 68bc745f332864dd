"""What the tests of workers stand on."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.clock import ManualClock
from tests.support.logs import embedded_config
from tests.unit.consume.worker_floor import PARTITIONS, SPECS, Floor, UnsteadyLedger
from tocsin.eventlog.embedded.log import open_log
from tocsin.observe.metrics import Metrics


@pytest.fixture
async def floor(tmp_path: Path) -> AsyncIterator[Floor]:
    """An empty floor."""
    clock = ManualClock()
    config = embedded_config(tmp_path, partitions=PARTITIONS)
    async with open_log(config, clock=clock, metrics=Metrics(version="test")) as log:
        await log.ensure_topics(SPECS)
        ledger = UnsteadyLedger(log, clock=clock, lease=timedelta(seconds=90))
        await ledger.open()
        yield Floor(log=log, ledger=ledger, clock=clock)
