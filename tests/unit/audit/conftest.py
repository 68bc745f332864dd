"""A migrated store, a clock that moves when told, and the audit's API on both."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from audit.api import Api
from audit.arrivals import Arrivals
from audit.timeline import Timelines
from tests.support.clock import ManualClock
from tests.unit.audit.stories import NOW
from tests.unit.audit.visitors import AnyKey, key
from tocsin.observe.metrics import Metrics
from tocsin.store.engine import Store, open_store
from tocsin.store.migrate import upgrade
from tocsin.web.app import create_app
from tocsin.web.auth import Authenticator


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(f"sqlite:///{tmp_path / 'store.db'}") as opened:
        await upgrade(opened)
        yield opened


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def arrivals(clock: ManualClock) -> Arrivals:
    return Arrivals(clock)


@pytest.fixture
async def client(store: Store, clock: ManualClock, arrivals: Arrivals) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the audit's API. Its key is `key("default", "read")` unless a test gives another."""
    metrics = Metrics(version="test")
    timelines = Timelines(store=store, arrivals=arrivals, clock=clock)
    app = create_app(
        title="test",
        version="test",
        routers=[Api(store=store, timelines=timelines).router],
        metrics=metrics,
        authenticator=Authenticator(AnyKey(), monotonic=clock.monotonic),
        checks={},
        monotonic=clock.monotonic,
    )
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://test", headers=key("default", "read")
    ) as opened:
        yield opened
