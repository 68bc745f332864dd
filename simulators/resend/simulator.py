"""The entry point: Resend's API, served beside its control on the port of all controls."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter

from simulators.mail import control, telling
from simulators.mail.faults import Faults
from simulators.mail.telling import Teller
from simulators.resend import builtin, events
from simulators.resend.api import Api
from simulators.sms.callbacks import calling
from simulators.smtp.mailbox import Mailbox
from tocsin.clock import Clock
from tocsin.runtime.service import LOOPBACK, Simulator
from tocsin.runtime.simulating import PORT

NAME = "resend"
API_KEY = "re_simulated_key"
# Where the gateway of a demo is told.
ENDPOINT = f"http://{LOOPBACK}:8080/v1/callbacks/{NAME}"


@asynccontextmanager
async def _open(clock: Clock, *, host: str = LOOPBACK) -> AsyncIterator[APIRouter]:  # noqa: ARG001 - it has no port of its own
    mailbox, faults = Mailbox(now=clock.now), Faults(builtin.faults())
    async with calling(clock) as caller:
        teller = Teller(caller, url=ENDPOINT, made=lambda kind, sent: events.event(kind, sent, now=clock.now()))
        routes = APIRouter()
        account = Api(api_key=API_KEY, mailbox=mailbox, faults=faults, teller=teller, clock=clock)
        routes.include_router(account.router)
        routes.include_router(telling.router(teller))
        routes.include_router(control.router(name=NAME, mailbox=mailbox, faults=faults))
        yield routes


# The demo's mail goes by SMTP; these are ready for who sets `email.routes`.
simulator = Simulator(
    name=NAME,
    overrides={
        NAME: {
            "api_key": API_KEY,
            "webhook_secret": events.SECRET,
            # What a settings file may have instead.
            "api_key_file": None,
            "webhook_secret_file": None,
            "base_url": f"http://{LOOPBACK}:{PORT}/{NAME}",
        }
    },
    open=_open,
    shows="mails",
)
