"""The entry point: SES's API, served beside its control on the port of all controls."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter

from simulators.mail import control
from simulators.mail.faults import Faults
from simulators.ses import api, builtin
from simulators.ses.signing import Account
from simulators.smtp.mailbox import Mailbox
from tocsin.clock import Clock
from tocsin.runtime.service import LOOPBACK, Simulator
from tocsin.runtime.simulating import PORT

NAME = "ses"
ACCOUNT = Account("eu-central-1", "AKIASIMULATED", "simulated-secret-access-key")


@asynccontextmanager
async def _open(clock: Clock, *, host: str = LOOPBACK) -> AsyncIterator[APIRouter]:  # noqa: ARG001 - it has no port of its own
    mailbox, faults = Mailbox(now=clock.now), Faults(builtin.faults())
    routes = APIRouter()
    routes.include_router(api.router(account=ACCOUNT, mailbox=mailbox, faults=faults, clock=clock))
    routes.include_router(control.router(name=NAME, mailbox=mailbox, faults=faults))
    yield routes


# The demo's mail goes by SMTP; these are ready for who sets `email.routes`.
simulator = Simulator(
    name=NAME,
    overrides={
        NAME: {
            "region": ACCOUNT.region,
            "access_key_id": ACCOUNT.access_key_id,
            "secret_access_key": ACCOUNT.secret_access_key,
            # What a settings file may have instead, or besides.
            "secret_access_key_file": None,
            "session_token": None,
            "base_url": f"http://{LOOPBACK}:{PORT}/{NAME}",
        }
    },
    open=_open,
    shows="mails",
)
