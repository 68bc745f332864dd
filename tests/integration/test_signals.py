"""Scenario 18: what a signal does to a gateway at work."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from simulators.smtp.faults import Fault, Faults
from simulators.smtp.mailbox import Mailbox
from simulators.smtp.server import listening
from tests.support.gateways import NOTIFICATION
from tests.support.processes import Process, serving
from tests.support.waiting import until
from tocsin.lifecycle import State
from tocsin.runtime.clock import SystemClock

COUNT = 300


@asynccontextmanager
async def slow_mail_server() -> AsyncIterator[tuple[Mailbox, Faults, int]]:
    """Listen, with a fifth of a second before each answer: calls shorter than the drain budget."""
    clock = SystemClock()
    mailbox, faults = Mailbox(now=clock.now), Faults([Fault(phase="body", delay_seconds=0.2)])
    async with listening(mailbox=mailbox, faults=faults, clock=clock, host="127.0.0.1", port=0) as port:
        yield mailbox, faults, port


async def submit(gateway: Process, count: int) -> list[str]:
    """Submit a batch; return the notifications' ids."""
    items = [{**NOTIFICATION, "recipient": {"email": f"ada{n}@example.test"}} for n in range(count)]
    response = await gateway.client.post("/v1/notifications/batch", json={"notifications": items})
    assert response.status_code == 202, response.text
    return [result["id"] for result in response.json()["results"]]


async def all_delivered(gateway: Process, notifications: list[str]) -> None:
    """Return once the audit says so of each."""
    for each in notifications:
        while True:
            response = await gateway.client.get(f"/v1/notifications/{each}")
            if response.status_code == 200 and State(response.json()["state"]).terminal:
                break
        assert response.json()["state"] == "delivered"


async def held(faults: Faults) -> None:
    """Return once the mail server keeps a gateway waiting, for longer than any test lasts: its drain does not end."""
    rule = faults.add(Fault(phase="body", delay_seconds=600))
    await until(lambda: rule.applied, what="a call that does not end")


async def signalled_until_it_ends(gateway: Process) -> int:
    """Send SIGTERM again and again; return the exit code. While one is on its way, another is none."""
    ending = asyncio.create_task(gateway.exit_code(within=60))
    while not ending.done():
        with contextlib.suppress(ProcessLookupError):
            gateway.signal(signal.SIGTERM)
        await asyncio.wait([ending], timeout=0.1)
    return ending.result()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_under_load_drains_and_no_send_is_repeated(tmp_path: Path, number: signal.Signals) -> None:
    async with slow_mail_server() as (mailbox, _, port):
        async with serving(tmp_path, smtp_port=port) as gateway:
            notifications = await submit(gateway, COUNT)
            await until(lambda: mailbox.total > 20, what="some mails")
            gateway.signal(number)

            assert await gateway.exit_code(within=60) == 0
        assert mailbox.total < COUNT
        async with serving(tmp_path, smtp_port=port) as gateway:
            await all_delivered(gateway, notifications)

        assert set(mailbox.by_recipient.values()) == {1}
        assert len(mailbox.by_recipient) == COUNT


async def test_a_second_signal_exits_at_once_and_nothing_is_lost(tmp_path: Path) -> None:
    async with slow_mail_server() as (mailbox, faults, port):
        async with serving(tmp_path, smtp_port=port) as gateway:
            notifications = await submit(gateway, COUNT)
            await until(lambda: mailbox.total > 20, what="some mails")
            await held(faults)

            assert await signalled_until_it_ends(gateway) == 128 + signal.SIGTERM
        faults.reset()
        async with serving(tmp_path, smtp_port=port) as gateway:
            await all_delivered(gateway, notifications)

        assert len(mailbox.by_recipient) == COUNT
