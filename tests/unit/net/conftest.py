"""Servers and clients for the tests of the HTTP client, on both event loops that Tocsin runs on."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import uvloop

from tests.integration.certificates import Certificates, issue
from tests.support.http_server import HttpServer, serving
from tocsin.net.client import Client


def pytest_asyncio_loop_factories(
    config: pytest.Config,  # noqa: ARG001 - the hook's signature
    item: pytest.Item,  # noqa: ARG001
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder: Path = tmp_path_factory.mktemp("certificates")
    return issue(folder)


@pytest.fixture
async def server() -> AsyncIterator[HttpServer]:
    async with serving() as running:
        yield running


@pytest.fixture
async def clients() -> AsyncIterator[Callable[..., Client]]:
    """Return a function that makes a client, which is closed after the test."""
    made: list[Client] = []

    def make(**arguments: Any) -> Client:
        defaults: dict[str, Any] = {"connections": 4, "monotonic": time.monotonic, "allow_plain": True}
        client = Client(**defaults | arguments)
        made.append(client)
        return client

    yield make
    for client in made:
        await client.aclose()


@pytest.fixture
def client(clients: Callable[..., Client]) -> Client:
    return clients()
