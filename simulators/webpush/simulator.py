"""The entry point: a push service whose endpoints are beside the control of the simulators, on plain HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter

from simulators.webpush import control
from simulators.webpush.browser import Browsers
from simulators.webpush.faults import Faults
from simulators.webpush.inbox import Inbox
from simulators.webpush.service import PushService
from tocsin.clock import Clock
from tocsin.runtime.service import LOOPBACK, Simulator
from tocsin.runtime.simulating import PORT

# The application server's key of RFC 8291's example: printed there for all to read, so it guards nothing.
PUBLISHED_KEY = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"


@asynccontextmanager
async def _open(clock: Clock, *, host: str = LOOPBACK) -> AsyncIterator[APIRouter]:  # noqa: ARG001 - it has no port
    browsers, inbox, faults = Browsers(), Inbox(now=clock.now), Faults()
    pushes = PushService(browsers=browsers, inbox=inbox, faults=faults, clock=clock)
    yield control.router(pushes=pushes, browsers=browsers, inbox=inbox, faults=faults)


simulator = Simulator(
    name="webpush",
    overrides={
        "browser": {"private_endpoints": [f"{LOOPBACK}:{PORT}", f"localhost:{PORT}"]},
        "webpush": {"vapid_key": PUBLISHED_KEY, "vapid_key_file": None, "subject": "mailto:demo@example.com"},
    },
    open=_open,
    shows="pushes",
)
