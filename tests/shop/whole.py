"""A shop, its gateway and simulators in the test's process, as `python -m examples.shop` has them, on free ports."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fastapi import APIRouter

from examples.shop import roster, start
from examples.shop.kit.settings import ShopSettings
from simulators.smtp import builtin, control
from simulators.smtp.faults import Faults
from simulators.smtp.mailbox import Mailbox
from simulators.smtp.server import listening
from simulators.twilio.simulator import simulator as twilio
from tests.support.ports import held_ports
from tocsin.clock import Clock
from tocsin.runtime import gateway, server
from tocsin.runtime.clock import SystemClock
from tocsin.runtime.discover import setting_sections
from tocsin.runtime.service import LOOPBACK, Simulator
from tocsin.runtime.simulating import simulating
from tocsin.settings.load import load


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopAtWork:
    """A shop that is open, what its mails went to, and a client of the gateway behind it."""

    url: str
    mailbox: Mailbox
    client: httpx.AsyncClient
    gateway: httpx.AsyncClient


@asynccontextmanager
async def opened(
    directory: Path, *, port: int = 0, gateway_port: int | None = None, **settings: Any
) -> AsyncIterator[ShopAtWork]:
    """Open the shop until the block is left. `settings` are those of `ShopSettings`."""
    with held_ports(2) as (smtp_port, free):
        async with _opened(directory, port, gateway_port or free, smtp_port, **settings) as found:
            yield found


@asynccontextmanager
async def _opened(
    directory: Path, port: int, gateway_port: int, smtp_port: int, **settings: Any
) -> AsyncIterator[ShopAtWork]:
    clock = SystemClock()
    mailbox = Mailbox(now=clock.now)
    simulators = [_smtp(mailbox, smtp_port), twilio]
    async with simulating(simulators, clock=clock, port=0) as pages:
        wanted = ShopSettings(data=directory, simulators=pages["smtp"].removesuffix("/smtp/"), **settings)
        overrides = _overrides(simulators, wanted, pages, gateway_port)
        loaded = load(setting_sections(), path=start.GATEWAY / "tocsin.toml", environ={}, overrides=overrides)
        with server.listen(LOOPBACK, port) as taken:
            program = start._program(roster.SERVICES, wanted, taken)
            async with gateway.gateway(loaded, demo=True, clock=clock, beside=[program]) as (started, failed):
                headers = {"Authorization": f"Bearer {started.key}"}
                url = server.url_of(taken)
                async with (
                    httpx.AsyncClient(base_url=url, timeout=30) as client,
                    httpx.AsyncClient(base_url=started.url, headers=headers, timeout=30) as behind,
                ):
                    yield ShopAtWork(url=url, mailbox=mailbox, client=client, gateway=behind)
                assert not failed.is_set()


def _smtp(mailbox: Mailbox, port: int) -> Simulator:
    """Return the SMTP simulator on a port, with a mailbox of the test's."""

    @asynccontextmanager
    async def open_simulator(clock: Clock, *, host: str = LOOPBACK) -> AsyncIterator[APIRouter]:
        faults = Faults(builtin.faults())
        async with listening(mailbox=mailbox, faults=faults, clock=clock, host=host, port=port):
            yield control.router(mailbox=mailbox, faults=faults)

    email = {"host": LOOPBACK, "port": port, "tls": "none"}
    return Simulator(name="smtp", overrides={"email": email}, open=open_simulator)


def _overrides(
    simulators: list[Simulator], wanted: ShopSettings, pages: Mapping[str, str], gateway_port: int
) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for layer in (*(each.overrides for each in simulators), start._overrides(wanted)):
        for section, values in layer.items():
            found.setdefault(section, {}).update(values)
    found["http"] = {"port": gateway_port, "public_url": f"http://{LOOPBACK}:{gateway_port}"}
    found["sms"] = {"routes": ["twilio"]}
    found["twilio"]["base_url"] = pages["twilio"].rstrip("/")
    return found
