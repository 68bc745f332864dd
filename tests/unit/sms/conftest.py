"""What the tests of SMS share: a message, an account at a server that a test scripts, and a claim that counts."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from channels.sms.message import Sms
from tests.support.clock import ManualClock
from tests.support.http_server import HttpServer, serving
from tocsin import ids
from tocsin.errors import NotClaimed

NUMBER = "+12025550143"


@dataclass
class CountingClaim:
    """A claim that is granted, or not, and knows how often it was awaited."""

    granted: bool = True
    asked: int = 0

    async def __call__(self) -> None:
        self.asked += 1
        if not self.granted:
            raise NotClaimed


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def claim() -> CountingClaim:
    return CountingClaim()


@pytest.fixture
async def server() -> AsyncIterator[HttpServer]:
    async with serving() as running:
        yield running


def message(clock: ManualClock, *, text: str = "Grüße", expires_in: timedelta = timedelta(hours=1)) -> Sms:
    notification = ids.notification_id(clock.now(), bytes)
    return Sms(
        to=NUMBER,
        text=text,
        encoding="gsm7",
        cost={"segments": 1},
        delivery_id=ids.delivery_id(notification, "sms", NUMBER),
        notification_id=notification,
        tenant="default",
        expires_at=clock.now() + expires_in,
    )


def soon(seconds: float = 10) -> float:
    """Return a deadline."""
    return asyncio.get_running_loop().time() + seconds
