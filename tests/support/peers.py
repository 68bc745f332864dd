"""The simulator of each provider on loopback, behind doors, and its control."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

import httpx
from fastapi import APIRouter, FastAPI

from simulators.apns import control as apns_control
from simulators.apns import credentials, server
from simulators.apns.credentials import KEY_ID, TEAM_ID, TOPIC, Credentials
from simulators.apns.service import Service
from simulators.smtp import builtin
from simulators.smtp import control as smtp_control
from simulators.smtp.faults import Faults
from simulators.smtp.mailbox import Mailbox
from simulators.smtp.server import listening
from tests.support.door import Door, door
from tocsin.clock import Clock
from tocsin.runtime.server import listen, serving
from tocsin.runtime.service import Simulator

BASE_URL = {"base_url": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A provider, from outside. `settings` is its own section, which leads a gateway to it."""

    control: httpx.AsyncClient
    doors: Sequence[Door]
    settings: Mapping[str, Any]

    async def shut(self) -> None:
        """Be down: refuse connections."""
        await asyncio.gather(*(each.shut() for each in self.doors))

    async def open(self) -> None:
        """Be up again."""
        await asyncio.gather(*(each.open() for each in self.doors))

    async def fault(self, fault: Mapping[str, Any]) -> None:
        """Put a fault in force."""
        response = await self.control.post("faults", json=fault)
        assert response.status_code == 201, response.text

    async def mend(self) -> None:
        """Forget all faults that were added."""
        assert (await self.control.delete("faults")).status_code == 204

    async def suffered(self) -> int:
        """Return how many calls have met a fault, counted when it begins."""
        rules = (await self.control.get("faults")).json()["faults"]
        return sum(rule["applied"] for rule in rules)

    async def taken(self) -> int:
        """Return how many messages it took, those included whose sender was not told."""
        return int((await self.control.get("counts")).json()["total"])


@asynccontextmanager
async def http_peer(
    simulator: Simulator, clock: Clock, *, doors: int = 1, urls: Mapping[str, str] = BASE_URL
) -> AsyncIterator[Peer]:
    """Run a simulator that is below the port of all controls.

    `urls` are the keys of its section that hold its addresses, each with the path below the simulator's own.
    """
    name = simulator.name
    async with AsyncExitStack() as stack:
        router = await stack.enter_async_context(simulator.open(clock))
        app = _app(router, name)
        at = listen("127.0.0.1", 0)
        stack.callback(at.close)
        await stack.enter_async_context(serving(app, at))
        made = [await stack.enter_async_context(door(at.getsockname()[1])) for _ in range(doors)]
        found = {key: f"http://{made[0].host}/{name}{path}" for key, path in urls.items()}
        control = await stack.enter_async_context(_control(app, name))
        yield Peer(control=control, doors=made, settings={**simulator.overrides[name], **found})


@asynccontextmanager
async def smtp_peer(clock: Clock) -> AsyncIterator[Peer]:
    """Run the mail server."""
    mailbox, faults = Mailbox(now=clock.now), Faults(builtin.faults())
    app = _app(smtp_control.router(mailbox=mailbox, faults=faults), "smtp")
    async with (
        listening(mailbox=mailbox, faults=faults, clock=clock) as port,
        door(port) as way,
        _control(app, "smtp") as control,
    ):
        yield Peer(control=control, doors=[way], settings={"host": "127.0.0.1", "port": way.port, "tls": "none"})


@asynccontextmanager
async def apns_peer(clock: Clock) -> AsyncIterator[Peer]:
    """Run Apple's service."""
    service = Service(_known(), clock=clock)
    app = _app(apns_control.router(service), "apns")
    async with server.listening(service) as port, door(port) as way, _control(app, "apns") as control:
        proof = {"key": _known().key_pem(), "key_id": KEY_ID, "team_id": TEAM_ID, "topic": TOPIC}
        settings = {"base_url": f"https://{way.host}", "ca": _known().ca_pem(), **proof}
        yield Peer(control=control, doors=[way], settings=settings)


@cache
def _known() -> Credentials:
    return credentials.generate(datetime.now(UTC))


def _app(router: APIRouter, name: str) -> FastAPI:
    app = FastAPI()
    app.include_router(router, prefix=f"/{name}")
    return app


def _control(app: FastAPI, name: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"http://control/{name}/")
