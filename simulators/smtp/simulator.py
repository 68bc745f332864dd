"""The entry point: an SMTP server on loopback, port 2525, and the router that controls it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter

from simulators.smtp import builtin, control
from simulators.smtp.faults import Faults
from simulators.smtp.mailbox import Mailbox
from simulators.smtp.server import listening
from tocsin.clock import Clock
from tocsin.runtime.service import Simulator

HOST = "127.0.0.1"
PORT = 2525


@asynccontextmanager
async def _open(clock: Clock) -> AsyncIterator[APIRouter]:
    mailbox = Mailbox(now=clock.now)
    faults = Faults(builtin.faults())
    async with listening(mailbox=mailbox, faults=faults, clock=clock, host=HOST, port=PORT):
        yield control.router(mailbox=mailbox, faults=faults)


simulator = Simulator(
    name="smtp",
    overrides={"email": {"host": HOST, "port": PORT, "tls": "none"}},
    open=_open,
)
