"""The backends that flows run on. Another one joins them by one more parameter here."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from channels import service
from tests.support.backends import Backend, Cluster, Embedded
from tests.support.clock import ManualClock
from tests.support.kafka_logs import delete_topics, kafka_settings, names_apart
from tests.support.postgres import Databases, databases
from tests.support.waiting import until
from tocsin.store.suppressed import SuppressedAddresses

__all__ = ["databases"]

Knows = Callable[[int], Awaitable[None]]


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.xdist_group("kafka"))])
def bootstrap(request: pytest.FixtureRequest) -> str | None:
    """Return where the Kafka is that the flow runs on, None for the embedded log."""
    if request.param == "embedded":
        return None
    found: str = request.getfixturevalue("kafka_bootstrap")
    return found


@pytest.fixture
async def backend(request: pytest.FixtureRequest, bootstrap: str | None) -> AsyncIterator[Backend]:
    """Return the backend of this test: opening it again finds what was written."""
    if bootstrap is None:
        yield Embedded()
        return
    databases: Databases = request.getfixturevalue("databases")
    settings = kafka_settings(bootstrap)
    async with databases.migrated() as url, names_apart():
        yield Cluster(bootstrap=bootstrap, database=url)
        await delete_topics(settings)


@pytest.fixture
def clock(backend: Backend) -> ManualClock:
    """The gateway's clock."""
    return backend.clock()


@pytest.fixture
def knows(monkeypatch: pytest.MonkeyPatch) -> Knows:
    """Return a function that waits until the process that sends knows of so many suppressions."""
    made: list[SuppressedAddresses] = []

    def remembered(**given: Any) -> SuppressedAddresses:
        made.append(SuppressedAddresses(**given))
        return made[-1]

    monkeypatch.setattr(service, "SuppressedAddresses", remembered)
    return lambda count: until(lambda: len(made[-1]) == count, what=f"{count} suppressions to be known")
