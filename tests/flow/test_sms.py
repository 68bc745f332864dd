"""SMS through the whole gateway: real HTTP to both simulators, and their callbacks back to it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from simulators.twilio.simulator import simulator as twilio
from simulators.vonage.simulator import simulator as vonage
from tests.support.gateways import Gateway, running
from tocsin.lifecycle import State
from tocsin.runtime.clock import SystemClock
from tocsin.runtime.simulating import simulating

NUMBER = "+12025550143"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A gateway that sends texts, and the simulators' control."""

    gateway: Gateway
    control: httpx.AsyncClient

    async def submit(self, number: str = NUMBER, **changes: Any) -> str:
        """Submit a text; return its notification's id."""
        document = {"recipient": {"phone": number}, "channels": ["sms"], "content": {"sms": {"text": "Your code: 7"}}}
        answer = await self.gateway.submit(document, **changes)
        return str(answer["id"])

    async def ended(self, notification_id: str) -> dict[str, Any]:
        """Return the one life of the one delivery, once it has ended."""
        told = await self.gateway.ended(notification_id)
        [delivery] = told["deliveries"]
        life: dict[str, Any] = delivery["lives"][-1]
        return life

    async def until_told(self, notification_id: str, event: str) -> Mapping[str, Any]:
        """Return an event of the notification's timeline, once it is there."""
        path = f"/v1/notifications/{notification_id}"
        told = await self.gateway.until(path, lambda found: event in _types(found))
        return next(each for each in _events(told) if each["type"] == event)

    async def fault(self, provider: str, **fault: Any) -> None:
        """Put a fault in force."""
        response = await self.control.post(f"/{provider}/faults", json=fault)
        assert response.status_code == 201, response.text

    async def received(self, provider: str) -> list[dict[str, Any]]:
        """Return the texts that a provider took, the newest first."""
        found: list[dict[str, Any]] = (await self.control.get(f"/{provider}/messages")).json()["messages"]
        return found


def _events(told: dict[str, Any]) -> list[dict[str, Any]]:
    return [event for delivery in told["deliveries"] for life in delivery["lives"] for event in life["events"]]


def _types(told: dict[str, Any]) -> list[str]:
    return [event["type"] for event in _events(told)]


def _outcomes(life: dict[str, Any]) -> list[str]:
    return [event["data"]["outcome"] for event in life["events"] if "outcome" in event["data"]]


@asynccontextmanager
async def staged(
    directory: Path, port: int, *, routes: tuple[str, ...] = ("twilio",), speed: float = 1, **sections: dict[str, Any]
) -> AsyncIterator[Stage]:
    """Run simulators and a gateway that uses them."""
    async with simulating([twilio, vonage], clock=SystemClock(), port=0) as pages:
        settings: dict[str, Any] = {
            "http": {"port": port, "public_url": f"http://127.0.0.1:{port}"},
            "sms": {"routes": routes},
            "twilio": {**twilio.overrides["twilio"], "base_url": pages["twilio"]},
            "vonage": {**vonage.overrides["vonage"], "base_url": pages["vonage"]},
        }
        for name, values in sections.items():
            settings[name] = {**settings.get(name, {}), **values}
        base = pages["twilio"].removesuffix("/twilio/")
        async with (
            httpx.AsyncClient(base_url=base) as control,
            running(directory, speed=speed, **settings) as gateway,
        ):
            yield Stage(gateway=gateway, control=control)


@pytest.mark.parametrize("provider", ["twilio", "vonage"])
async def test_a_text_is_delivered_and_its_receipt_told(tmp_path: Path, unused_tcp_port: int, provider: str) -> None:
    async with staged(tmp_path, unused_tcp_port, routes=(provider,)) as stage:
        sent = await stage.submit("+1 (202) 555-0143")
        life = await stage.ended(sent)
        receipt = await stage.until_told(sent, "tocsin.receipt.confirmed")
        [text] = await stage.received(provider)

        assert life["state"] == "delivered"
        assert (text["recipient"], text["text"]) == (NUMBER, "Your code: 7")
        assert receipt["data"]["provider"] == provider
        assert receipt["data"]["provider_id"] in {text["provider_id"], text["provider_id"] + "00"}


async def test_a_template_has_a_text_in_each_language(tmp_path: Path, unused_tcp_port: int) -> None:
    async with staged(tmp_path, unused_tcp_port) as stage:
        document = {
            "recipient": {"phone": NUMBER, "locale": "de"},
            "channels": ["sms"],
            "template": "welcome",
            "data": {"name": "Ada"},
        }
        answer = await stage.gateway.submit(document)
        await stage.ended(answer["id"])
        [text] = await stage.received("twilio")

        assert text["text"] == "Hallo Ada, willkommen! Ihr Konto ist bereit."


async def test_a_number_that_is_none_is_refused_at_once(tmp_path: Path, unused_tcp_port: int) -> None:
    async with staged(tmp_path, unused_tcp_port) as stage:
        document = {"channels": ["sms"], "content": {"sms": {"text": "x"}}}
        wrong = {**document, "recipient": {"phone": "+1 555 123 4567"}}
        response = await stage.gateway.client.post("/v1/notifications", json=wrong)
        [error] = response.json()["errors"]

        assert response.status_code == 422
        assert error["pointer"] == "/recipient/phone"
        assert "possible" in error["detail"]
        assert "not valid" in error["detail"]


async def test_a_refused_number_is_a_dead_letter_and_suppressed(tmp_path: Path, unused_tcp_port: int) -> None:
    async with staged(tmp_path, unused_tcp_port) as stage:
        life = await stage.ended(await stage.submit("+15005550009"))
        letters = await stage.gateway.until("/v1/dlq", lambda found: bool(found["items"]))
        held = await stage.gateway.until("/v1/suppressions?channel=sms", lambda found: bool(found["items"]))

        assert (life["state"], life["reason"]) == ("dead", "rejected")
        assert letters["items"][0]["code"] == "400 21614"
        assert held["items"][0]["address"] == "+15005550009"
        assert held["items"][0]["reason"] == "hard_bounce"
        assert await stage.received("twilio") == []


async def test_too_many_requests_wait_as_long_as_asked(tmp_path: Path, unused_tcp_port: int) -> None:
    async with staged(tmp_path, unused_tcp_port, speed=50) as stage:
        await stage.fault("twilio", status=429, code=20429, retry_after_seconds=30, times=1)
        life = await stage.ended(await stage.submit())

        assert life["state"] == "delivered"
        assert _outcomes(life) == ["throttled", "delivered"]
        assert len(await stage.received("twilio")) == 1


async def test_an_answer_that_was_lost_is_unconfirmed_and_sent_again(tmp_path: Path, unused_tcp_port: int) -> None:
    """At least once: the second copy is the price. At most once: rather lost than doubled."""
    at_most_once = {"at_most_once_categories": ("otp",)}
    async with staged(tmp_path, unused_tcp_port, speed=50, delivery=at_most_once) as stage:
        await stage.fault("twilio", recipients=NUMBER, drop=True, times=1)
        await stage.fault("twilio", recipients="+12025550144", drop=True)
        twice = await stage.ended(await stage.submit())
        once = await stage.ended(await stage.submit("+12025550144", category="otp"))
        counts = (await stage.control.get("/twilio/counts")).json()["by_recipient"]

        assert _outcomes(twice) == ["unconfirmed", "delivered"]
        assert (_outcomes(once), once["reason"]) == (["unconfirmed"], "outcome_unknown")
        assert counts == {NUMBER: 2, "+12025550144": 1}


async def test_mixed_up_receipts_are_told_once_each(tmp_path: Path, unused_tcp_port: int) -> None:
    async with staged(tmp_path, unused_tcp_port) as stage:
        statuses = ("delivered", "sent", "delivered", "read", "delivered")
        await stage.fault("twilio", receipts=[{"status": status} for status in statuses])
        sent = await stage.submit()
        await stage.until_told(sent, "tocsin.receipt.read")
        later = await stage.submit()
        await stage.until_told(later, "tocsin.receipt.read")
        told = (await stage.gateway.client.get(f"/v1/notifications/{sent}")).json()

        assert told["state"] == "delivered"
        assert _types(told).count("tocsin.receipt.confirmed") == 1
        assert _types(told).count("tocsin.receipt.read") == 1


@pytest.mark.parametrize(("provider", "number"), [("twilio", "+15005553005"), ("vonage", "+15005554003")])
async def test_a_number_that_turns_out_dead_is_not_used_again(
    tmp_path: Path, unused_tcp_port: int, provider: str, number: str
) -> None:
    async with staged(tmp_path, unused_tcp_port, routes=(provider,)) as stage:
        sent = await stage.submit(number)
        life = await stage.ended(sent)
        receipt = await stage.until_told(sent, "tocsin.receipt.failed")
        held = await stage.gateway.until("/v1/suppressions?channel=sms", lambda found: bool(found["items"]))

        assert life["state"] == "delivered"
        assert receipt["data"]["address"] == number
        assert held["items"][0]["reason"] == "hard_bounce"


@pytest.mark.parametrize("provider", ["twilio", "vonage"])
async def test_stop_ends_it_and_start_begins_again(tmp_path: Path, unused_tcp_port: int, provider: str) -> None:
    async with staged(tmp_path, unused_tcp_port, routes=(provider,)) as stage:
        await stage.ended(await stage.submit())
        stop = await stage.control.post(f"/{provider}/inbound", json={"sender": NUMBER, "text": "Stop"})
        await stage.gateway.until("/v1/suppressions?channel=sms", lambda found: bool(found["items"]))
        await _until_next_ends(stage, State.SUPPRESSED)
        start = await stage.control.post(f"/{provider}/inbound", json={"sender": NUMBER, "text": "START"})
        await _until_next_ends(stage, State.DELIVERED)

        assert (stop.json(), start.json()) == ({"status": 204}, {"status": 204})


async def _until_next_ends(stage: Stage, state: State) -> None:
    """Send until one ends so: workers look for what has changed about once a second."""
    async with asyncio.timeout(20):
        while (await stage.ended(await stage.submit()))["state"] != state:
            pass
