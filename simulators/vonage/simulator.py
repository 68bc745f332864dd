"""The entry point: Vonage's SMS API, served beside its control on the port of all controls."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter

from simulators.sms import control
from simulators.sms.callbacks import calling
from simulators.sms.faults import Faults
from simulators.sms.texts import Texts
from simulators.vonage import builtin
from simulators.vonage.api import Api
from tocsin.clock import Clock
from tocsin.runtime.service import LOOPBACK, Simulator
from tocsin.runtime.simulating import PORT

NAME = "vonage"
API_KEY = "simulate"
API_SECRET = "simulated-api-secret"  # noqa: S105 - it opens the simulator
SIGNATURE_SECRET = "simulated-signature-secret"  # noqa: S105 - it signs what the simulator says
# Where a demo's gateway is called back, unless it is told another port.
PUBLIC_URL = f"http://{LOOPBACK}:8080"


@asynccontextmanager
async def _open(clock: Clock, *, host: str = LOOPBACK) -> AsyncIterator[APIRouter]:  # noqa: ARG001 - it has no port of its own
    async with calling(clock) as caller:
        texts, faults = Texts(now=clock.now), Faults(builtin.faults())
        api = Api(
            key=API_KEY,
            secret=API_SECRET,
            signature_secret=SIGNATURE_SECRET,
            texts=texts,
            faults=faults,
            caller=caller,
            clock=clock,
        )
        routes = APIRouter()
        routes.include_router(api.router)
        routes.include_router(control.router(name=NAME, texts=texts, faults=faults, write=api.write))
        yield routes


simulator = Simulator(
    name=NAME,
    overrides={
        "http": {"public_url": PUBLIC_URL},
        "sms": {"routes": ["twilio", "vonage"]},
        "vonage": {
            "api_key": API_KEY,
            "api_secret": API_SECRET,
            "signature_secret": SIGNATURE_SECRET,
            "sender": "Tocsin",
            "base_url": f"http://{LOOPBACK}:{PORT}/{NAME}",
        },
    },
    open=_open,
    shows="texts",
)
