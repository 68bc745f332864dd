"""The entry point: Resend's API, served beside its control on the port of all controls."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter

from simulators.mail import control
from simulators.mail.faults import Faults
from simulators.resend import builtin
from simulators.resend.api import Api
from simulators.smtp.mailbox import Mailbox
from tocsin.clock import Clock
from tocsin.runtime.service import LOOPBACK, Simulator
from tocsin.runtime.simulating import PORT

NAME = "resend"
API_KEY = "re_simulated_key"


@asynccontextmanager
async def _open(clock: Clock, *, host: str = LOOPBACK) -> AsyncIterator[APIRouter]:  # noqa: ARG001 - it has no port of its own
    mailbox, faults = Mailbox(now=clock.now), Faults(builtin.faults())
    routes = APIRouter()
    routes.include_router(Api(api_key=API_KEY, mailbox=mailbox, faults=faults, clock=clock).router)
    routes.include_router(control.router(name=NAME, mailbox=mailbox, faults=faults))
    yield routes


# The demo's mail goes by SMTP; these are ready for who sets `email.routes`.
simulator = Simulator(
    name=NAME,
    overrides={
        # `api_key_file` is what a settings file may have instead.
        NAME: {"api_key": API_KEY, "api_key_file": None, "base_url": f"http://{LOOPBACK}:{PORT}/{NAME}"}
    },
    open=_open,
    shows="mails",
)
