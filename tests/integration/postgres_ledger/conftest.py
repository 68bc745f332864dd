"""What the tests of PostgreSQL's ledger may ask for."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.integration.postgres_ledger.sharing import Gateways, opened
from tests.support.clock import ManualClock
from tests.support.postgres import Server, database, databases, own_server
from tocsin.runtime.clock import SystemClock
from tocsin.store.engine import open_store
from tocsin.store.migrate import upgrade

__all__ = ["database", "databases", "own_server"]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


@pytest.fixture
async def made(stack: AsyncExitStack, database: str, tmp_path: Path, clock: ManualClock) -> Gateways:
    """Return processes by a clock that moves when told."""
    return await opened(stack, database, tmp_path, clock)


@pytest.fixture
async def real(stack: AsyncExitStack, database: str, tmp_path: Path) -> Gateways:
    """Return processes by the clocks of this machine and of the database."""
    return await opened(stack, database, tmp_path, SystemClock())


@pytest.fixture
async def fragile(stack: AsyncExitStack, own_server: Server, tmp_path: Path, clock: ManualClock) -> Gateways:
    """Return processes on a server of the test's own."""
    async with open_store(own_server.url) as store:
        await upgrade(store)
    return await opened(stack, own_server.url, tmp_path, clock)
