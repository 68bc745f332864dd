"""Push through the whole gateway to FCM's simulator: real HTTP in, real HTTP out, signed tokens and all."""

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from simulators.fcm import builtin, simulator
from simulators.fcm.faults import Fault, Faults
from simulators.fcm.inbox import Inbox
from tests.support.gateways import Gateway, ScaledClock, running
from tests.unit.push.fcm_peer import service_account
from tocsin.runtime import server

SPEED = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushing:
    """A gateway with its simulator."""

    gateway: Gateway
    inbox: Inbox
    faults: Faults
    control: httpx.AsyncClient

    async def push(self, *tokens: str, **changes: Any) -> dict[str, Any]:
        """Submit a notification to devices, and return what the audit tells once it has ended."""
        answer = await self.gateway.submit(**(NOTIFICATION | {"recipient": recipient(*tokens)} | changes))
        return await self.gateway.ended(answer["id"])

    async def letters(self) -> list[dict[str, Any]]:
        """Return the dead letters."""
        found: list[dict[str, Any]] = (await self.gateway.client.get("/v1/dlq")).json()["items"]
        return found


NOTIFICATION: dict[str, Any] = {"channels": ["push"], "template": "order-confirmation"}


def recipient(*tokens: str, provider: str = "fcm") -> dict[str, Any]:
    """Return somebody with these devices."""
    return {"id": "cust-42", "locale": "de", "push": [{"provider": provider, "token": token} for token in tokens]}


def states(told: dict[str, Any]) -> Sequence[str]:
    """Return the states of a notification's deliveries, sorted."""
    return sorted(each["state"] for each in told["deliveries"])


def outcomes(told: dict[str, Any]) -> Sequence[str]:
    """Return what the attempts of its one delivery came to."""
    events = told["deliveries"][0]["lives"][0]["events"]
    return [event["data"]["outcome"] for event in events if event["type"] == "tocsin.delivery.attempted"]


@asynccontextmanager
async def pushing(directory: Path, *, speed: float = 1, **fcm: Any) -> AsyncIterator[Pushing]:
    """Run a gateway that pushes to a simulator of FCM."""
    clock = ScaledClock(1)
    inbox, faults = Inbox(now=clock.now), Faults(builtin.faults())
    app = FastAPI()
    app.include_router(
        simulator.routes(service_account(), inbox=inbox, faults=faults, clock=clock, randbytes=secrets.token_bytes)
    )
    listening = server.listen("127.0.0.1", 0)
    try:
        async with server.serving(app, listening) as url:
            given = {"base_url": url, "token_url": f"{url}/token", "credentials": service_account().document()}
            async with (
                running(directory, speed=speed, fcm=given | fcm) as gateway,
                httpx.AsyncClient(base_url=url) as control,
            ):
                yield Pushing(gateway=gateway, inbox=inbox, faults=faults, control=control)
    finally:
        listening.close()


async def test_a_notification_reaches_both_devices_of_its_recipient(tmp_path: Path) -> None:
    async with pushing(tmp_path) as at:
        told = await at.push("phone-1", "tablet-1")
        messages = {each.token: each.message for each in at.inbox.newest()}

    assert (told["state"], told["partial"], states(told)) == ("delivered", False, ["delivered", "delivered"])
    assert {each["address"] for each in told["deliveries"]} == {"fcm:phone-1", "fcm:tablet-1"}
    assert messages.keys() == {"phone-1", "tablet-1"}
    assert messages["phone-1"]["notification"]["title"] == "Ihre Bestellung 1001 ist bestätigt"
    assert messages["phone-1"]["data"] == {"tocsin_notification_id": told["id"]}
    assert messages["phone-1"]["android"]["notification"]["tag"] == told["id"]
    [delivered] = [e for e in told["deliveries"][0]["lives"][0]["events"] if e["type"] == "tocsin.delivery.delivered"]
    assert delivered["data"]["provider"] == "fcm"
    assert delivered["data"]["provider_id"].startswith("projects/tocsin-demo/messages/0:")


async def test_content_is_sent_as_it_is(tmp_path: Path) -> None:
    content = {"push": {"title": "Türchen 4", "body": "{{ x }}", "data": {"door": "4"}}}
    async with pushing(tmp_path) as at:
        answer = await at.gateway.submit({"recipient": recipient("phone-1"), "channels": ["push"], "content": content})
        told = await at.gateway.ended(answer["id"])
        [message] = at.inbox.newest()

    assert told["state"] == "delivered"
    assert (message.title, message.body) == ("Türchen 4", "{{ x }}")
    assert message.message["data"] == {"door": "4", "tocsin_notification_id": told["id"]}


async def test_one_device_is_enough_for_a_notification_to_be_delivered(tmp_path: Path) -> None:
    async with pushing(tmp_path) as at:
        told = await at.push("phone-1", "unregistered-1")
        letter = await at.gateway.until("/v1/dlq", lambda found: len(found["items"]) == 1)

    assert (told["state"], told["partial"], states(told)) == ("delivered", False, ["dead", "delivered"])
    assert letter["items"][0]["reason"] == "rejected"
    assert letter["items"][0]["code"] == "404 UNREGISTERED"
    [dead] = [each for each in told["deliveries"] if each["state"] == "dead"]
    assert dead["lives"][0]["events"][-1]["data"]["suppress"] == "dead_token"


async def test_a_notification_whose_devices_are_all_gone_is_dead(tmp_path: Path) -> None:
    async with pushing(tmp_path) as at:
        told = await at.push("unregistered-1", "unregistered-2")
        letters = await at.gateway.until("/v1/dlq", lambda found: len(found["items"]) == 2)

    assert (told["state"], states(told), at.inbox.total) == ("dead", ["dead", "dead"], 0)
    assert {each["code"] for each in letters["items"]} == {"404 UNREGISTERED"}


async def test_a_token_that_google_refuses_is_replaced_within_the_attempt(tmp_path: Path) -> None:
    async with pushing(tmp_path) as at:
        await at.push("phone-1")
        await at.control.delete("/tokens")
        told = await at.push("phone-2")
        counts = (await at.control.get("/counts")).json()

    assert outcomes(told) == ["delivered"]
    assert counts == {"total": 2, "by_token": {"phone-1": 1, "phone-2": 1}, "tokens_granted": 2}


async def test_a_device_that_gets_too_much_waits_as_long_as_it_is_told(tmp_path: Path) -> None:
    async with pushing(tmp_path, speed=SPEED) as at:
        at.faults.add(Fault(tokens="phone-1", error="QUOTA_EXCEEDED", retry_after_seconds=30, times=1))
        told = await at.push("phone-1")
    events = told["deliveries"][0]["lives"][0]["events"]
    [retrying] = [event for event in events if event["type"] == "tocsin.delivery.retrying"]
    until, since = (datetime.fromisoformat(text) for text in (retrying["data"]["not_before"], retrying["time"]))

    assert outcomes(told) == ["throttled", "delivered"]
    assert 30 <= (until - since).total_seconds() < 35


async def test_an_answer_that_comes_too_late_may_have_been_a_delivery(tmp_path: Path) -> None:
    async with pushing(tmp_path, speed=SPEED, timeout_seconds=2) as at:
        at.faults.add(Fault(tokens="phone-1", delay_seconds=4, times=1))
        told = await at.push("phone-1")
        tags = {each.message["android"]["notification"]["tag"] for each in at.inbox.newest()}

    assert outcomes(told) == ["unconfirmed", "delivered"]
    assert at.inbox.by_token["phone-1"] == 2
    assert tags == {told["id"]}


async def test_what_cannot_be_pushed_is_refused_at_once_and_names_its_field(tmp_path: Path) -> None:
    devices = recipient("phone-1")["push"] + recipient("ab12", provider="apns")["push"]
    async with pushing(tmp_path) as at:
        foreign = await at.gateway.client.post("/v1/notifications", json=_document({"push": devices}))
        nobody = await at.gateway.client.post("/v1/notifications", json=_document({"id": "cust-42"}))

    assert (foreign.status_code, nobody.status_code) == (422, 422)
    assert foreign.json()["errors"] == [
        {"pointer": "/recipient/push/1/provider", "detail": "is not configured here; configured: fcm"}
    ]
    assert nobody.json()["errors"] == [{"pointer": "/recipient/push", "detail": "is required for the channel push"}]


def _document(of: dict[str, Any]) -> dict[str, Any]:
    data = {"order": "1001", "items": [{"name": "keyboard", "quantity": 1}]}
    return NOTIFICATION | {"recipient": of, "data": data}
