"""An application around the routers of a test, with keys in memory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import APIRouter

from tests.unit.web.support import Keys, Serve, Ticks
from tocsin.observe.metrics import Metrics
from tocsin.web.app import create_app
from tocsin.web.auth import Authenticator


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(version="1.2.3")


@pytest.fixture
def authenticator(keys: Keys, ticks: Ticks) -> Authenticator:
    return Authenticator(keys, monotonic=ticks)


@pytest.fixture
def serve(authenticator: Authenticator, ticks: Ticks, metrics: Metrics) -> Serve:
    @asynccontextmanager
    async def served(*routers: APIRouter, **more: Any) -> AsyncIterator[httpx.AsyncClient]:
        settings: dict[str, Any] = {"checks": {}, "title": "Tocsin", "version": "1.2.3", **more}
        app = create_app(
            routers=list(routers), metrics=metrics, authenticator=authenticator, monotonic=ticks, **settings
        )
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://tocsin") as client:
            yield client

    return served
