"""The provider beside the simulator, as the tests make them."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from channels.provider import Claim
from channels.push.apns import ApnsProvider
from channels.push.apns_settings import ApnsSettings
from channels.push.message import Push
from simulators.apns import credentials
from simulators.apns.credentials import KEY_ID, TEAM_ID, TOPIC, Credentials
from simulators.apns.server import listening
from simulators.apns.service import Service
from tests.support.clock import ManualClock
from tocsin.outcome import Outcome

TOKEN = "00fc13adff785122b4ad28809a3420982341241421348097878e577c991de8f0"
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


@cache
def known() -> Credentials:
    return credentials.generate(datetime.now(UTC))


def push(**changes: Any) -> Push:
    told: dict[str, Any] = {
        "provider": "apns",
        "token": TOKEN,
        "title": "Your order",
        "body": "is on its way",
        "data": {"tocsin_notification_id": "ntf_01"},
        "collapse_id": "ntf_01",
        "priority": "high",
        "notification_id": "ntf_01",
        "accepted_at": NOON - timedelta(minutes=1),
        "expires_at": NOON + timedelta(days=3),
    }
    return Push(**(told | changes))


def settings(port: int, **changes: Any) -> ApnsSettings:
    told: dict[str, Any] = {
        "base_url": f"https://127.0.0.1:{port}",
        "key": known().key_pem(),
        "key_id": KEY_ID,
        "team_id": TEAM_ID,
        "topic": TOPIC,
        "ca": known().ca_pem(),
        "connections": 1,
    }
    return ApnsSettings(**(told | changes))


@dataclass(kw_only=True)
class World:
    """A provider and the service that it speaks to. `claims` counts the claims that were awaited."""

    provider: ApnsProvider
    service: Service
    clock: ManualClock
    unmapped: list[str]
    claims: int = 0

    async def send(self, message: Push | None = None, *, seconds: float = 20, claim: Claim | None = None) -> Outcome:
        deadline = asyncio.get_running_loop().time() + seconds
        return await self.provider.send(message or push(), key="k", deadline=deadline, claim=claim or self.claim)

    async def claim(self) -> None:
        self.claims += 1


@asynccontextmanager
async def world(**changes: Any) -> AsyncIterator[World]:
    clock = ManualClock(NOON)
    unmapped: list[str] = []
    service = Service(known(), clock=clock)
    async with listening(service) as port:
        provider = ApnsProvider(
            settings(port, **changes), clock=clock, monotonic=time.monotonic, on_unmapped=unmapped.append
        )
        try:
            yield World(provider=provider, service=service, clock=clock, unmapped=unmapped)
        finally:
            await provider.aclose()
