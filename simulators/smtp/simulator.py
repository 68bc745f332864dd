"""The entry point: an SMTP server on port 2525, on loopback unless told otherwise, and the router that controls it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter

from simulators.smtp import builtin, control
from simulators.smtp.faults import Faults
from simulators.smtp.mailbox import Mailbox
from simulators.smtp.returning import returning
from simulators.smtp.server import listening
from tocsin.clock import Clock
from tocsin.runtime.service import LOOPBACK, Simulator

HOST = LOOPBACK
PORT = 2525
# Where the gateway of a demo takes back what bounces.
BOUNCES_PORT = 2526


@asynccontextmanager
async def _open(clock: Clock, *, host: str = HOST) -> AsyncIterator[APIRouter]:
    mailbox = Mailbox(now=clock.now)
    faults = Faults(builtin.faults())
    async with (
        returning(HOST, BOUNCES_PORT) as returner,
        listening(mailbox=mailbox, faults=faults, clock=clock, returner=returner, host=host, port=PORT),
    ):
        yield control.router(mailbox=mailbox, faults=faults, returner=returner)


simulator = Simulator(
    name="smtp",
    overrides={
        "email": {"host": HOST, "port": PORT, "tls": "none"},
        "bounces": {
            "domain": "bounces.tocsin.test",
            "secret": "simulated-bounces-secret",
            # What a settings file may have instead.
            "secret_file": None,
            "listen": f"{HOST}:{BOUNCES_PORT}",
            "protocol": "lmtp",
        },
    },
    open=_open,
    shows="mails",
)
