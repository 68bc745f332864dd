"""Suppression over real HTTP and real SMTP: what bounced for good is not sent to again, until somebody lifts it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from channels import service
from simulators.smtp.faults import Fault, Reply
from tests.flow.conftest import Knows
from tests.support.backends import Backend
from tests.support.gateways import Gateway, running
from tocsin.store.suppressed import SuppressedAddresses

PATH = "/v1/suppressions"
ADA = {"channel": "email", "address": "ada@example.test"}


def refuses(gateway: Gateway, *, code: int = 550, enhanced: str = "5.1.1", times: int = 1) -> None:
    """Have the server refuse so many mails to the address, and take those that come after."""
    reply = Reply(code=code, enhanced=enhanced, text="No")
    gateway.faults.add(Fault(recipients=ADA["address"], phase="rcpt", reply=reply, times=times))


async def story(gateway: Gateway) -> tuple[str, list[tuple[str, Any]]]:
    """Submit to the address; return the state in which it ended, and its events with their reasons."""
    told = await gateway.ended((await gateway.submit())["id"])
    [life] = told["deliveries"][0]["lives"]
    return told["state"], [(each["type"].rpartition(".")[2], each["data"].get("reason")) for each in life["events"]]


SUPPRESSED = ("suppressed", [("suppressed", "hard_bounce")])
DELIVERED = ("delivered", [("attempted", None), ("delivered", None)])


async def test_what_bounced_for_good_is_not_sent_to_again_until_it_is_lifted(
    tmp_path: Path, backend: Backend, knows: Knows
) -> None:
    async with running(tmp_path, backend=backend) as gateway:
        refuses(gateway)
        assert (await story(gateway))[0] == "dead"
        await knows(1)
        [found] = (await gateway.client.get(PATH)).json()["items"]
        assert (found["address"], found["reason"], found["source"]) == (ADA["address"], "hard_bounce", "smtp")

        # The server would take it now.
        assert await story(gateway) == SUPPRESSED
        assert gateway.mailbox.total == 0

        assert (await gateway.client.delete(f"{PATH}/{found['id']}")).status_code == 200
        assert await story(gateway) == DELIVERED
        assert (await gateway.client.get(PATH)).json()["items"] == []


async def test_a_restart_keeps_what_is_suppressed(tmp_path: Path, backend: Backend) -> None:
    async with running(tmp_path, backend=backend) as gateway:
        refuses(gateway)
        assert (await story(gateway))[0] == "dead"
        await gateway.until(PATH, lambda found: bool(found["items"]))
    async with running(tmp_path, backend=backend) as gateway:
        # Nothing is sent before the addresses are loaded, so nothing has to be waited for here.
        assert await story(gateway) == SUPPRESSED
        assert gateway.mailbox.total == 0


async def test_what_somebody_adds_is_not_sent_to(tmp_path: Path, backend: Backend, knows: Knows) -> None:
    async with running(tmp_path, backend=backend) as gateway:
        assert await story(gateway) == DELIVERED
        assert (await gateway.client.post(PATH, json=ADA)).status_code == 201
        await knows(1)

        assert await story(gateway) == ("suppressed", [("suppressed", "manual")])
        other = await gateway.ended((await gateway.submit(recipient={"email": "bob@example.test"}))["id"])
        assert other["state"] == "delivered"
        assert gateway.mailbox.total == 2

        assert (await gateway.client.delete(PATH, params=ADA)).status_code == 200
        assert await story(gateway) == DELIVERED


async def test_a_retry_to_an_address_that_was_suppressed_meanwhile_is_not_made(tmp_path: Path, knows: Knows) -> None:
    async with running(tmp_path, speed=5) as gateway:
        refuses(gateway, code=451, enhanced="4.3.0")
        answer = await gateway.submit()
        path = f"/v1/notifications/{answer['id']}"
        await gateway.until(path, lambda found: found["state"] == "retrying")
        await gateway.client.post(PATH, json={**ADA, "reason": "opt_out"})
        await knows(1)
        told = await gateway.ended(answer["id"])
        [life] = told["deliveries"][0]["lives"]

        assert (told["state"], life["reason"], life["attempts"]) == ("suppressed", "opt_out", 1)
        assert gateway.mailbox.total == 0


@pytest.mark.parametrize(("code", "enhanced"), [(552, "5.2.2"), (550, "5.7.1"), (554, "5.6.0")])
async def test_what_dies_for_another_reason_is_sent_to_again(tmp_path: Path, code: int, enhanced: str) -> None:
    async with running(tmp_path) as gateway:
        refuses(gateway, code=code, enhanced=enhanced)
        assert (await story(gateway))[0] == "dead"
        # A second death that does suppress: whatever the sink had to say of the first, it has said by then.
        marked = await gateway.submit(recipient={"email": "refused@example.test"})
        assert (await gateway.ended(marked["id"]))["state"] == "dead"
        found = await gateway.until(PATH, lambda found: bool(found["items"]))

        assert [each["address"] for each in found["items"]] == ["refused@example.test"]
        assert await story(gateway) == DELIVERED


async def test_nothing_is_sent_before_the_addresses_are_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    may_load = asyncio.Event()

    class Slow(SuppressedAddresses):
        async def refresh(self) -> None:
            await may_load.wait()
            await super().refresh()

    monkeypatch.setattr(service, "SuppressedAddresses", Slow)
    async with running(tmp_path) as gateway:
        answer = await gateway.submit()
        assert (await gateway.client.get(f"/v1/notifications/{answer['id']}")).json()["state"] == "accepted"
        checks = (await gateway.client.get("/readyz")).json()["checks"]
        assert not checks["channels.suppressed"]["ok"]
        # Had the notification not waited for the load, it would be delivered by now, or soon.
        assert (await gateway.client.post(PATH, json=ADA)).status_code == 201
        may_load.set()

        assert (await gateway.ended(answer["id"]))["state"] == "suppressed"
        assert gateway.mailbox.total == 0
