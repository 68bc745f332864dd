"""Test keys over real HTTP: a rehearsal goes the way of every notification, and reaches no provider."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from channels.email.smtp import SmtpProvider
from tests.support.backends import Backend
from tests.support.gateways import NOTIFICATION, Gateway, running
from tests.unit.browser.support import DOCUMENT as SUBSCRIPTION
from tocsin import magic
from tocsin.lifecycle import State
from tocsin.runtime import discover

SUPPRESSIONS = "/v1/suppressions"
DELIVERED = ["attempted", "delivered"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsing:
    """A gateway, and a client of it with a test key."""

    gateway: Gateway
    client: httpx.AsyncClient

    async def submit(self, address: str, **changes: Any) -> dict[str, Any]:
        """Submit a test to an address; return the answer."""
        response = await self.client.post("/v1/notifications", json=_to(address, **changes))
        assert response.status_code == 202, response.text
        answer: dict[str, Any] = response.json()
        return answer

    async def ended(self, address: str, **changes: Any) -> dict[str, Any]:
        """Return the one life of a test that was submitted to an address, once it has ended."""
        submitted = await self.submit(address, **changes)
        # On a clock that runs ahead, the audit is given less time than it may take before an id counts as unknown.
        await self.gateway.until("/v1/notifications?test=true", lambda found: submitted["id"] in _listed(found))
        told = await self.gateway.ended(submitted["id"])
        assert (submitted["test"], told["test"]) == (True, True)
        [life] = told["deliveries"][0]["lives"]
        found: dict[str, Any] = life
        return found


def _to(address: str, **changes: Any) -> dict[str, Any]:
    return {**NOTIFICATION, "recipient": {"email": address, "locale": "de"}, **changes}


def _events(life: Mapping[str, Any]) -> list[str]:
    return [each["type"].rpartition(".")[2] for each in life["events"]]


def _listed(page: Mapping[str, Any]) -> list[str]:
    return [each["id"] for each in page["notifications"]]


def _lives(told: Mapping[str, Any]) -> list[str]:
    return [life["state"] for life in told["deliveries"][0]["lives"]]


@asynccontextmanager
async def with_test_key(directory: Path, **given: Any) -> AsyncIterator[Rehearsing]:
    """Run a gateway, and make a test key."""
    async with running(directory, **given) as gateway:
        wanted = {"name": "ci", "scopes": ["submit", "read"], "mode": "test"}
        made = (await gateway.client.post("/v1/keys", json=wanted)).json()
        assert made["key"].startswith("tcs_test_")
        headers = {"Authorization": f"Bearer {made['key']}"}
        async with httpx.AsyncClient(base_url=gateway.client.base_url, headers=headers, timeout=30) as client:
            yield Rehearsing(gateway=gateway, client=client)


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the calls that the provider got, each of which fails."""
    calls: list[str] = []

    async def send(_provider: object, _message: object, *, key: str, **_given: object) -> None:
        calls.append(key)
        raise AssertionError("a provider was called for a test")

    monkeypatch.setattr(SmtpProvider, "send", send)
    return calls


async def test_no_test_reaches_a_provider_whatever_becomes_of_it(
    tmp_path: Path, backend: Backend, unreachable: list[str]
) -> None:
    async with with_test_key(tmp_path, backend=backend) as rehearsing:
        plain = await rehearsing.ended("ada@example.test")
        bounced = await rehearsing.ended("bounced+signup-1@magic.invalid")
        refused = await rehearsing.ended("rejected-address@magic.invalid")
        suppressed = await rehearsing.ended("suppressed@magic.invalid")

        assert (plain["state"], _events(plain)) == ("delivered", DELIVERED)
        assert (bounced["state"], _events(bounced)) == ("delivered", [*DELIVERED, "failed"])
        assert (refused["state"], refused["reason"], _events(refused)) == ("dead", "rejected", ["attempted", "dead"])
        assert (suppressed["state"], suppressed["reason"]) == ("suppressed", "hard_bounce")
        assert plain["events"][0]["data"]["provider"] == "test"
        assert (unreachable, rehearsing.gateway.mailbox.total) == ([], 0)
        # Nothing has been learned of the address, either.
        assert (await rehearsing.gateway.client.get(SUPPRESSIONS)).json()["items"] == []
        letters = await rehearsing.gateway.until("/v1/dlq", lambda found: bool(found["items"]))
        assert [each["provider"] for each in letters["items"]] == ["test"]


async def test_a_replayed_test_is_a_test(tmp_path: Path, backend: Backend, unreachable: list[str]) -> None:
    async with with_test_key(tmp_path, backend=backend) as rehearsing:
        client = rehearsing.gateway.client
        dead = await rehearsing.submit("rejected-address@magic.invalid")
        await rehearsing.gateway.ended(dead["id"])
        letters = await rehearsing.gateway.until("/v1/dlq", lambda found: bool(found["items"]))
        assert (await client.post(f"/v1/dlq/{letters['items'][0]['id']}/replay")).status_code == 202
        path = f"/v1/notifications/{dead['id']}"
        told = await rehearsing.gateway.until(path, lambda found: _lives(found) == ["dead", "dead"])

        assert told["deliveries"][0]["lives"][1]["events"][1]["data"]["provider"] == "test"
        assert unreachable == []


async def test_a_test_is_retried_as_others_are(tmp_path: Path) -> None:
    async with with_test_key(tmp_path, speed=20) as rehearsing:
        once = await rehearsing.ended("deferred-once@magic.invalid")
        throttled = await rehearsing.ended("throttled-once@magic.invalid")
        never = await rehearsing.ended("deferred@magic.invalid", expires_in=60)
        unknown = await rehearsing.ended("unconfirmed@magic.invalid")

        assert _events(once) == ["attempted", "retrying", *DELIVERED]
        assert (throttled["state"], throttled["attempts"]) == ("delivered", 2)
        assert never["state"] == "expired"
        assert (unknown["state"], unknown["reason"]) == ("dead", "outcome_unknown")


async def test_tests_leave_the_routes_the_counters_and_readiness_alone(tmp_path: Path) -> None:
    async with with_test_key(tmp_path, speed=20) as rehearsing:
        for _ in range(30):
            await rehearsing.submit("deferred@magic.invalid", expires_in=30)
        last = await rehearsing.ended("unconfirmed@magic.invalid")
        metrics = (await rehearsing.client.get("/metrics")).text
        ready = await rehearsing.client.get("/readyz")

        assert last["state"] == "dead"
        assert (ready.status_code, ready.json()["checks"]["channel_email"]["detail"]) == (200, "")
        assert 'tocsin_route_state{channel="email",provider="smtp"} 1.0' in metrics
        counted = ("tocsin_attempts_total{", "tocsin_deliveries_total{", "tocsin_dead_letters_total{")
        assert not [line for line in metrics.splitlines() if line.startswith(counted)]


async def test_the_tests_of_a_live_key_are_live(tmp_path: Path, backend: Backend) -> None:
    async with with_test_key(tmp_path, backend=backend) as rehearsing:
        told = await rehearsing.gateway.ended((await rehearsing.gateway.submit())["id"])

        assert (told["state"], told["test"], rehearsing.gateway.mailbox.total) == (State.DELIVERED, False, 1)


async def test_a_live_key_may_not_send_to_magic_recipients(tmp_path: Path) -> None:
    async with with_test_key(tmp_path) as rehearsing:
        refused = await rehearsing.gateway.client.post("/v1/notifications", json=_to("bounced@magic.invalid"))
        mistyped = await rehearsing.client.post("/v1/notifications", json=_to("bounce@magic.invalid"))

        assert (refused.status_code, mistyped.status_code) == (422, 422)
        assert refused.json()["errors"] == [
            {"pointer": "/recipient/email", "detail": "is a magic recipient, and those are for test keys only"}
        ]
        assert mistyped.json()["errors"][0]["detail"].endswith("did you mean bounced?")


async def test_the_same_idempotency_key_is_another_one_for_tests(tmp_path: Path, backend: Backend) -> None:
    key = {"Idempotency-Key": "order-1001"}
    async with with_test_key(tmp_path, backend=backend) as rehearsing:
        answers = [
            await client.post("/v1/notifications", json=NOTIFICATION, headers=key)
            for client in (rehearsing.client, rehearsing.gateway.client, rehearsing.client, rehearsing.gateway.client)
        ]

        assert [each.status_code for each in answers] == [202] * 4
        test, live, again, live_again = (each.json()["id"] for each in answers)
        assert (again, live_again) == (test, live)
        assert test != live


async def test_a_test_key_sees_tests_only(tmp_path: Path) -> None:
    async with with_test_key(tmp_path) as rehearsing:
        live = (await rehearsing.gateway.submit())["id"]
        test = (await rehearsing.submit("ada@example.test"))["id"]
        await rehearsing.gateway.ended(live)
        await rehearsing.gateway.ended(test)

        async def listed(client: httpx.AsyncClient, **parameters: str) -> list[str]:
            return _listed((await client.get("/v1/notifications", params=parameters)).json())

        assert await listed(rehearsing.client) == await listed(rehearsing.client, test="false") == [test]
        assert (await rehearsing.client.get(f"/v1/notifications/{live}")).status_code == 404
        assert await listed(rehearsing.gateway.client) == [test, live]
        assert await listed(rehearsing.gateway.client, test="false") == [live]
        assert await listed(rehearsing.gateway.client, test="true") == [test]
        for path in (SUPPRESSIONS, "/v1/dlq", "/v1/keys"):
            assert (await rehearsing.client.get(path)).status_code == 403


def _of_the_demo() -> dict[str, dict[str, Any]]:
    sections: dict[str, dict[str, Any]] = {}
    for simulator in discover.simulators():
        for name in {"sms", "twilio", "vonage", "fcm", "apns", "browser", "webpush"} & simulator.overrides.keys():
            sections.setdefault(name, {}).update(simulator.overrides[name])
    return sections


async def test_a_test_key_learns_nothing_of_who_is_registered(tmp_path: Path) -> None:
    """Its timelines show addresses, so those that it did not give itself are not looked up."""
    async with with_test_key(tmp_path, **_of_the_demo()) as rehearsing:
        live = rehearsing.gateway.client
        wanted = {"recipient_id": "user-1", "subscription": SUBSCRIPTION}
        registered = await live.post("/v1/browser/subscriptions", json=wanted)
        assert registered.status_code == 201, registered.text
        document = {
            "recipient": {"id": "user-1"},
            "channels": ["browser"],
            "content": {"browser": {"title": "Your parcel", "body": "It comes today."}},
        }
        answer = await rehearsing.client.post("/v1/notifications", json=document)

        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json()["errors"]] == ["/recipient/browser"]


async def test_every_channel_can_be_rehearsed(tmp_path: Path) -> None:
    """With the settings of the demo, and none of its simulators open."""
    content = {
        "email": {"subject": "Your parcel", "text": "It comes today."},
        "sms": {"text": "Your parcel comes today."},
        "push": {"title": "Your parcel", "body": "It comes today."},
        "browser": {"title": "Your parcel", "body": "It comes today."},
    }
    recipient = {
        "email": "read@magic.invalid",
        "phone": magic.ALL["read"].phone,
        "push": [
            {"provider": "fcm", "token": "magic:read+phone"},
            {"provider": "apns", "token": b"magic:read+tablet".hex()},
        ],
        "browser": [{**SUBSCRIPTION, "endpoint": "https://fcm.googleapis.com/fcm/send/magic:read"}],
    }
    async with with_test_key(tmp_path, **_of_the_demo()) as rehearsing:
        document = {"recipient": recipient, "channels": list(content), "content": content}
        submitted = (await rehearsing.client.post("/v1/notifications", json=document)).json()
        told = await rehearsing.gateway.ended(submitted["id"])
        lives = [life for delivery in told["deliveries"] for life in delivery["lives"]]

        assert sorted(each["channel"] for each in told["deliveries"]) == ["browser", "email", "push", "push", "sms"]
        assert [(life["state"], _events(life)) for life in lives] == [("delivered", [*DELIVERED, "read"])] * 5
        assert {event["data"]["provider"] for life in lives for event in life["events"]} == {"test"}
