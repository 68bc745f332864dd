"""The entry point: an SMTP server on port 2525, on loopback unless told otherwise, and the router that controls it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter

from simulators.smtp import builtin, control
from simulators.smtp.faults import Faults
from simulators.smtp.mailbox import Mailbox
from simulators.smtp.server import listening
from tocsin.clock import Clock
from tocsin.runtime.service import LOOPBACK, Simulator

HOST = LOOPBACK
PORT = 2525


@asynccontextmanager
async def _open(clock: Clock, *, host: str = HOST) -> AsyncIterator[APIRouter]:
    mailbox = Mailbox(now=clock.now)
    faults = Faults(builtin.faults())
    async with listening(mailbox=mailbox, faults=faults, clock=clock, host=host, port=PORT):
        yield control.router(mailbox=mailbox, faults=faults)


simulator = Simulator(
    name="smtp",
    overrides={"email": {"host": HOST, "port": PORT, "tls": "none"}},
    open=_open,
    shows="mails",
)
