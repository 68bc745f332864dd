"""Every kind of database that a store can be."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support import postgres
from tests.support.postgres import Databases, databases
from tocsin.store.engine import Store, open_store

__all__ = ["databases"]

BOTH = ["sqlite", pytest.param("postgresql", marks=postgres.GROUP)]


@pytest.fixture(params=BOTH)
async def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """Return the URL of a database with nothing in it, of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'store.db'}"
        return
    made: Databases = request.getfixturevalue("databases")
    async with made.empty() as url:
        yield url


@pytest.fixture
async def empty(empty_url: str) -> AsyncIterator[Store]:
    """Return a store without tables, of each kind."""
    async with open_store(empty_url) as opened:
        yield opened
