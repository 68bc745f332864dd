"""A backup of a gateway at work, restored elsewhere: nothing that was accepted before it is lost."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from simulators.smtp import builtin
from simulators.smtp.faults import Fault, Faults
from simulators.smtp.mailbox import Mailbox
from simulators.smtp.server import listening
from tests.support.gateways import NOTIFICATION
from tests.support.processes import Process, run, serving
from tests.support.waiting import until
from tocsin.cli import times
from tocsin.lifecycle import Event, State
from tocsin.runtime.clock import SystemClock

BATCH = 20
GREYLISTED, REFUSED = "greylist@example.test", "refused@example.test"


@asynccontextmanager
async def mail_server() -> AsyncIterator[tuple[Mailbox, int]]:
    """Listen, slow enough that there is always something on its way."""
    clock = SystemClock()
    faults = Faults([*builtin.faults(), Fault(phase="body", delay_seconds=0.1)])
    mailbox = Mailbox(now=clock.now)
    async with listening(mailbox=mailbox, faults=faults, clock=clock, host="127.0.0.1", port=0) as port:
        yield mailbox, port


class Load:
    """A client that submits as long as it is let. `accepted` is each notification's id, by its address."""

    def __init__(self, gateway: Process) -> None:
        self._gateway = gateway
        self.accepted: dict[str, str] = {}

    async def submit(self, *addresses: str) -> None:
        """Submit a batch, each of which is accepted."""
        items = [{**NOTIFICATION, "recipient": {"email": address}} for address in addresses]
        response = await self._gateway.client.post("/v1/notifications/batch", json={"notifications": items})
        assert response.status_code == 202, response.text
        ids = [result["id"] for result in response.json()["results"]]
        self.accepted.update(zip(addresses, ids, strict=True))

    async def run(self) -> None:
        """Go on until cancelled."""
        number = 0
        while True:
            await self.submit(*(f"ada{number + n}@example.test" for n in range(BATCH)))
            number += BATCH
            await asyncio.sleep(0.1)


async def ended(gateway: Process, notification_id: str) -> dict[str, Any]:
    """Return a notification once the audit knows that it has ended. After a restore it has to catch up first."""
    async with asyncio.timeout(60):
        while True:
            document = await seen(gateway, notification_id)
            if document is not None and State(document["state"]).terminal:
                return document


async def seen(gateway: Process, notification_id: str) -> dict[str, Any] | None:
    """Return a notification as the audit has it, None where it does not have it."""
    response = await gateway.client.get(f"/v1/notifications/{notification_id}")
    assert response.status_code in {200, 404}, response.text
    document: dict[str, Any] = response.json()
    return document if response.status_code == 200 else None


async def retried(gateway: Process, notification_id: str) -> dict[str, Any]:
    """Return a notification once the audit knows that it is to be retried."""
    async with asyncio.timeout(60):
        while True:
            document = await seen(gateway, notification_id)
            if document is not None and document["state"] != State.ACCEPTED:
                return document


def due(document: dict[str, Any]) -> str:
    """Return when the retry of a notification is due."""
    events = document["deliveries"][0]["lives"][0]["events"]
    [told] = [event["data"]["not_before"] for event in events if event["type"] == Event.RETRYING]
    return str(told)


async def test_what_was_accepted_before_a_backup_under_load_is_delivered_after_its_restore(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    async with mail_server() as (mailbox, port):
        async with serving(first, smtp_port=port) as gateway:
            load = Load(gateway)
            await load.submit(REFUSED)
            await ended(gateway, load.accepted[REFUSED])
            working = asyncio.create_task(load.run())
            await until(lambda: mailbox.total > 50, what="some mails")
            done = list(mailbox.by_recipient)
            for address in done:
                await ended(gateway, load.accepted[address])
            await load.submit(GREYLISTED)
            waiting = due(await retried(gateway, load.accepted[GREYLISTED]))
            await until(lambda: len(load.accepted) > 300, what="more to be under way")
            before = dict(load.accepted)
            made = await run("backup", str(tmp_path / "backup"), directory=first)
            assert made.code == 0, made.err
            await asyncio.sleep(0.5)
            assert not working.done(), "nothing is held up by a backup"
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            os.kill(gateway.process.pid, 9)
            await gateway.exit_code(within=60)

        back = await run("restore", str(tmp_path / "backup"), directory=second)
        assert back.code == 0, back.err
        # What was in the pipes when the first gateway died has been taken by now.
        sent = dict(mailbox.by_recipient)
        async with serving(second, smtp_port=port) as gateway:
            states = {address: (await ended(gateway, each))["state"] for address, each in before.items()}
            late = await ended(gateway, before[GREYLISTED])
            letters = (await gateway.client.get("/v1/dlq")).json()["items"]

    assert states.pop(REFUSED) == "dead"
    assert [letter["notification_id"] for letter in letters] == [before[REFUSED]]
    assert set(states.values()) == {"delivered"}
    assert due(late) == waiting
    assert times.parse(late["deliveries"][0]["lives"][0]["updated_at"]) >= times.parse(waiting)
    # At least once each; what the backup knew to be delivered, once.
    assert {address: mailbox.by_recipient[address] for address in done} == dict.fromkeys(done, 1)
    assert all(mailbox.by_recipient[address] in {1, 2} for address in states)
    repeated = [address for address in states if mailbox.by_recipient[address] == 2]
    assert set(repeated) <= sent.keys(), "only what the first gateway had delivered goes out again"


async def test_the_data_of_a_gateway_that_was_killed_can_be_backed_up_and_still_be_used(tmp_path: Path) -> None:
    """Its log has a write-ahead log that nobody has gone through: a backup reads it and leaves it as it is."""
    async with mail_server() as (mailbox, port):
        async with serving(tmp_path, smtp_port=port) as gateway:
            load = Load(gateway)
            addresses = [f"ada{number}@example.test" for number in range(100)]
            await load.submit(*addresses)
            os.kill(gateway.process.pid, 9)
            await gateway.exit_code(within=60)
        made = await run("backup", "made", directory=tmp_path)
        assert made.code == 0, made.err
        back = await run("restore", "made", directory=tmp_path, TOCSIN__DATA_DIR="other")
        assert back.code == 0, back.err
        for data_dir in ("data", "other"):
            async with serving(tmp_path, smtp_port=port, TOCSIN__DATA_DIR=data_dir) as gateway:
                for each in load.accepted.values():
                    assert (await ended(gateway, each))["state"] == "delivered"
            assert set(mailbox.by_recipient) == set(addresses)


async def test_a_restore_into_a_gateways_directory_is_refused_while_it_runs(tmp_path: Path) -> None:
    async with mail_server() as (_, port), serving(tmp_path, smtp_port=port) as gateway:
        made = await run("backup", "made", directory=tmp_path)
        assert made.code == 0, made.err
        back = await run("restore", "made", "--replace", directory=tmp_path)

        assert back.code == 1
        assert f"locked by pid {gateway.process.pid}" in back.err
        assert (await gateway.client.get("/readyz")).status_code == 200
