"""Browser push through the whole gateway, to a push service that decrypts what it gets as a browser would."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from simulators.webpush.simulator import PUBLISHED_KEY, simulator
from tests.support.gateways import NOTIFICATION, Gateway, running
from tocsin.clock import rfc3339
from tocsin.runtime.clock import SystemClock
from tocsin.runtime.simulating import simulating

CONTENT = {"title": "Your parcel", "body": "It comes today — före kl. 12", "url": "/parcels/7", "data": {"parcel": 7}}


@dataclass(frozen=True, slots=True, kw_only=True)
class PushService:
    """The simulator, from outside."""

    client: httpx.AsyncClient

    async def subscription(self, behaviour: str = "ok", **more: Any) -> dict[str, Any]:
        """Return what a page would get."""
        answer = await self.client.post("subscriptions", json={"behaviour": behaviour, **more})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def fault(self, **fault: Any) -> None:
        """Have something go wrong."""
        answer = await self.client.post("faults", json=fault)
        assert answer.status_code == 201, answer.text

    async def messages(self) -> list[dict[str, Any]]:
        """Return what browsers were pushed, the newest first."""
        found: list[dict[str, Any]] = (await self.client.get("messages")).json()["messages"]
        return found


@asynccontextmanager
async def pushing(directory: Path, *, speed: float = 1) -> AsyncIterator[tuple[Gateway, PushService]]:
    """Run a gateway and a push service that it is allowed to call, although it is on loopback."""
    async with simulating([simulator], clock=SystemClock(), port=0) as pages:
        url = pages["webpush"]
        browser = {"private_endpoints": [urlsplit(url).netloc]}
        webpush = {"vapid_key": PUBLISHED_KEY, "subject": "mailto:push@example.com"}
        async with (
            running(directory, speed=speed, browser=browser, webpush=webpush) as gateway,
            httpx.AsyncClient(base_url=url) as client,
        ):
            yield gateway, PushService(client=client)


def notification(*subscriptions: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a notification for browsers."""
    return {"recipient": {"browser": subscriptions}, "channels": ["browser"], "content": {"browser": CONTENT}} | changes


def outcomes(told: dict[str, Any]) -> list[str]:
    """Return what the attempts of a notification's first delivery came to."""
    events = told["deliveries"][0]["lives"][0]["events"]
    return [event["data"]["outcome"] for event in events if event["type"] == "tocsin.delivery.attempted"]


async def test_what_a_browser_decrypts_is_what_was_submitted(tmp_path: Path) -> None:
    async with pushing(tmp_path) as (gateway, push):
        answer = await gateway.submit(notification(await push.subscription(), lane="high", expires_in=3600))
        told = await gateway.ended(answer["id"])
        [message] = await push.messages()

        assert told["state"] == "delivered"
        assert message["payload"] == {"id": answer["id"], **CONTENT}
        assert message["urgency"] == "high"
        assert 3590 < message["ttl"] <= 3600
        assert message["subject"] == "mailto:push@example.com"


async def test_a_template_is_shown_in_the_recipients_language_on_all_browsers(tmp_path: Path) -> None:
    async with pushing(tmp_path) as (gateway, push):
        both = [await push.subscription(), await push.subscription()]
        recipient = {**NOTIFICATION["recipient"], "browser": both}
        answer = await gateway.submit(recipient=recipient, channels=["browser"])
        told = await gateway.ended(answer["id"])
        messages = await push.messages()

        assert [each["state"] for each in told["deliveries"]] == ["delivered", "delivered"]
        assert {each["payload"]["title"] for each in messages} == {"Ihre Bestellung 1001 ist bestätigt"}
        assert {each["subscription"] for each in messages} == {each["endpoint"].rsplit("/", 1)[1] for each in both}
        assert len({each["topic"] for each in messages}) == 1


async def test_a_registered_browser_is_reached_by_the_recipients_id_until_it_is_removed(tmp_path: Path) -> None:
    async with pushing(tmp_path) as (gateway, push):
        key = (await gateway.client.get("/v1/browser/key")).json()
        subscription = await push.subscription(application_server_key=key["key"])
        wanted = {"recipient_id": "cust-42", "subscription": subscription}
        registered = await gateway.client.post("/v1/browser/subscriptions", json=wanted)
        body = notification(recipient={"id": "cust-42"})
        answer = await gateway.submit(body)
        told = await gateway.ended(answer["id"])
        removed = await gateway.client.delete(f"/v1/browser/subscriptions/{registered.json()['id']}")
        refused = await gateway.client.post("/v1/notifications", json=body)

        assert (registered.status_code, registered.json()["key_id"]) == (201, key["key_id"])
        assert told["state"] == "delivered"
        assert [each["payload"]["id"] for each in await push.messages()] == [answer["id"]]
        assert removed.status_code == 204
        assert [error["pointer"] for error in refused.json()["errors"]] == ["/recipient/browser"]


async def test_a_repeat_under_one_key_is_the_same_though_the_register_has_changed(tmp_path: Path) -> None:
    headers = {"Idempotency-Key": "parcel-7"}
    async with pushing(tmp_path) as (gateway, push):
        body = notification(recipient={"id": "cust-42"})
        answers = []
        for _ in range(2):
            wanted = {"recipient_id": "cust-42", "subscription": await push.subscription()}
            await gateway.client.post("/v1/browser/subscriptions", json=wanted)
            answers.append(await gateway.client.post("/v1/notifications", json=body, headers=headers))
        await gateway.ended(answers[0].json()["id"])

        assert [each.status_code for each in answers] == [202, 202]
        assert answers[0].text == answers[1].text
        assert len(await push.messages()) == 1


@pytest.mark.parametrize(("behaviour", "code"), [("gone", "410"), ("unknown", "404")])
async def test_a_browser_that_is_gone_is_a_dead_letter_at_once(tmp_path: Path, behaviour: str, code: str) -> None:
    async with pushing(tmp_path) as (gateway, push):
        answer = await gateway.submit(notification(await push.subscription(behaviour)))
        told = await gateway.ended(answer["id"])
        listed = await gateway.until("/v1/dlq", lambda found: len(found["items"]) == 1)
        [letter] = listed["items"]

        assert told["state"] == "dead"
        assert outcomes(told) == ["rejected"]
        assert (letter["reason"], letter["code"]) == ("rejected", code)


async def test_a_push_service_that_asks_for_time_gets_it(tmp_path: Path) -> None:
    async with pushing(tmp_path, speed=50) as (gateway, push):
        await push.fault(status=429, headers={"Retry-After": "20"}, times=1)
        answer = await gateway.submit(notification(await push.subscription()))
        told = await gateway.ended(answer["id"])
        first, retrying, second, _ = told["deliveries"][0]["lives"][0]["events"]

        assert outcomes(told) == ["throttled", "delivered"]
        assert retrying["data"]["not_before"] >= _later(first["time"], 20)
        assert second["time"] >= retrying["data"]["not_before"]


async def test_one_browser_of_another_key_does_not_stop_the_others(tmp_path: Path) -> None:
    async with pushing(tmp_path) as (gateway, push):
        fine = await gateway.submit(notification(await push.subscription()))
        await gateway.ended(fine["id"])
        foreign = await gateway.submit(notification(await push.subscription("other-key")))
        told = await gateway.ended(foreign["id"])
        again = await gateway.submit(notification(await push.subscription()))

        assert told["state"] == "dead"
        assert (await gateway.ended(again["id"]))["state"] == "delivered"


async def test_an_endpoint_that_is_no_push_services_is_refused_at_submit(tmp_path: Path) -> None:
    async with pushing(tmp_path) as (gateway, push):
        fine = await push.subscription()
        for endpoint in ("https://10.0.0.1/push/1", "https://[::1]/push/1", "http://127.0.0.1:1/push/1"):
            subscription = {**fine, "endpoint": endpoint}
            submitted = await gateway.client.post("/v1/notifications", json=notification(fine, subscription))
            wanted = {"recipient_id": "cust-42", "subscription": subscription}
            registered = await gateway.client.post("/v1/browser/subscriptions", json=wanted)

            assert (submitted.status_code, registered.status_code) == (422, 422)
            assert [error["pointer"] for error in submitted.json()["errors"]] == ["/recipient/browser/1/endpoint"]
            assert [error["pointer"] for error in registered.json()["errors"]] == ["/subscription/endpoint"]
            assert endpoint not in submitted.text + registered.text
        assert await push.messages() == []


def _later(time: str, seconds: int) -> str:
    return rfc3339(datetime.fromisoformat(time) + timedelta(seconds=seconds))
