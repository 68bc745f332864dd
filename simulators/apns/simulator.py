"""The entry point: APNs on port 2197, on loopback unless told otherwise, and the router that controls it.

The key and the certificate have to be known to the gateway and to the simulator, and none shall lie about: the
settings of the demo hold those that the simulator has made, in memory. A gateway in another process takes them from
the control.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from fastapi import APIRouter

from simulators.apns import control, credentials
from simulators.apns.credentials import KEY_ID, TEAM_ID, TOPIC, Credentials
from simulators.apns.server import listening
from simulators.apns.service import Service
from tocsin.clock import Clock
from tocsin.runtime.service import LOOPBACK, Simulator

NAME = "apns"
PORT = 2197


class Demo(Mapping[str, Mapping[str, Any]]):
    """The settings of a demo by section. The credentials are made when first asked for: an import makes none."""

    @cached_property
    def credentials(self) -> Credentials:
        """The credentials of this process. TLS goes by the system's clock, whatever clock the gateway has."""
        return credentials.generate(datetime.now(UTC))

    def __getitem__(self, section: str) -> Mapping[str, Any]:
        if section != NAME:
            raise KeyError(section)
        return {
            "base_url": f"https://{LOOPBACK}:{PORT}",
            "key": self.credentials.key_pem(),
            "key_id": KEY_ID,
            # What a settings file may have instead.
            "key_file": None,
            "key_id_file": None,
            "ca_file": None,
            "team_id": TEAM_ID,
            "topic": TOPIC,
            "ca": self.credentials.ca_pem(),
        }

    def __iter__(self) -> Iterator[str]:
        return iter((NAME,))

    def __len__(self) -> int:
        return 1


def _simulator() -> Simulator:
    demo = Demo()

    @asynccontextmanager
    async def _open(clock: Clock, *, host: str = LOOPBACK) -> AsyncIterator[APIRouter]:
        service = Service(demo.credentials, clock=clock)
        async with listening(service, host=host, port=PORT):
            yield control.router(service)

    return Simulator(name=NAME, overrides=demo, open=_open, shows="pushes")


simulator = _simulator()
