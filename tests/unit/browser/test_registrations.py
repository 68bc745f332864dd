"""Registered subscriptions, on every database, and their routes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest

from channels.browser import keys, registrations_api
from channels.browser.registrations import Registrations
from channels.browser.settings import BrowserSettings, WebPushSettings, endpoint_policy
from channels.browser.subscription import Subscription
from tests.support.clock import ManualClock
from tests.support.postgres import databases
from tests.unit.browser.support import AUTH, DOCUMENT, ENDPOINT, P256DH, SERVER_PRIVATE, SERVER_PUBLIC
from tests.unit.store.conftest import empty, empty_url
from tests.unit.web.support import Keys, pointers, slug
from tocsin.observe.metrics import Metrics
from tocsin.store.engine import Store
from tocsin.store.keys import Scope
from tocsin.store.migrate import upgrade
from tocsin.web.app import create_app
from tocsin.web.auth import Authenticator

__all__ = ["databases", "empty", "empty_url"]

KEY = "k" * 16


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def registrations(empty: Store, clock: ManualClock) -> Registrations:
    await upgrade(empty)
    return Registrations(store=empty, clock=clock, most=3)


def subscription(number: int = 0, auth: str = AUTH) -> Subscription:
    return Subscription(endpoint=f"{ENDPOINT}{number}", p256dh=P256DH, auth=auth)


async def endpoints(registrations: Registrations, recipient: str = "ada", tenant: str = "default") -> list[str]:
    return [each["endpoint"] for each in await registrations.of_recipient(tenant, recipient)]


async def test_a_registered_subscription_is_found_as_a_notification_has_it(
    registrations: Registrations, clock: ManualClock
) -> None:
    made = await registrations.register("default", "ada", subscription(), key_id=KEY)

    assert (made.recipient_id, made.key_id, made.created_at) == ("ada", KEY, clock.now())
    assert await registrations.of_recipient("default", "ada") == [
        {"endpoint": f"{ENDPOINT}0", "keys": {"p256dh": P256DH, "auth": AUTH}, "key_id": KEY}
    ]
    assert await registrations.of_recipient("default", "bob") == []
    assert await registrations.of_recipient("other", "ada") == []


async def test_an_endpoint_is_kept_once_with_what_was_told_last(registrations: Registrations) -> None:
    first = await registrations.register("default", "ada", subscription(), key_id=KEY)
    second = await registrations.register("default", "ada", subscription(auth="A" * 22), key_id="n" * 16)
    [found] = await registrations.of_recipient("default", "ada")

    assert first.id == second.id
    assert (found["keys"]["auth"], found["key_id"]) == ("A" * 22, "n" * 16)


async def test_who_signs_in_on_a_browser_later_gets_what_comes_to_it(registrations: Registrations) -> None:
    await registrations.register("default", "ada", subscription(), key_id=KEY)
    await registrations.register("default", "bob", subscription(), key_id=KEY)

    assert await endpoints(registrations, "ada") == []
    assert await endpoints(registrations, "bob") == [f"{ENDPOINT}0"]


async def test_a_tenant_neither_takes_nor_removes_the_subscriptions_of_another(registrations: Registrations) -> None:
    made = await registrations.register("default", "ada", subscription(), key_id=KEY)
    theirs = await registrations.register("other", "eve", subscription(), key_id=KEY)

    assert theirs.id != made.id
    assert not await registrations.remove(made.id, tenant="other")
    assert await endpoints(registrations) == [f"{ENDPOINT}0"]


async def test_of_too_many_the_oldest_go(registrations: Registrations, clock: ManualClock) -> None:
    for number in (0, 1, 2, 0, 3):
        await registrations.register("default", "ada", subscription(number), key_id=KEY)
        clock.advance(timedelta(seconds=1))
    await registrations.register("default", "bob", subscription(9), key_id=KEY)

    assert await endpoints(registrations) == [f"{ENDPOINT}3", f"{ENDPOINT}0", f"{ENDPOINT}2"]
    assert await endpoints(registrations, "bob") == [f"{ENDPOINT}9"]


async def test_what_is_replaced_is_gone(registrations: Registrations) -> None:
    await registrations.register("default", "ada", subscription(0), key_id=KEY)
    await registrations.register("default", "ada", subscription(1), key_id=KEY, replaces=f"{ENDPOINT}0")
    await registrations.register("default", "ada", subscription(1), key_id=KEY, replaces=f"{ENDPOINT}1")

    assert await endpoints(registrations) == [f"{ENDPOINT}1"]


async def test_what_is_removed_is_gone_and_removing_it_again_says_so(registrations: Registrations) -> None:
    made = await registrations.register("default", "ada", subscription(), key_id=KEY)

    assert await registrations.remove(made.id, tenant="default")
    assert not await registrations.remove(made.id, tenant="default")
    assert await endpoints(registrations) == []


@asynccontextmanager
async def asking(registrations: Registrations, *scopes: Scope) -> AsyncIterator[httpx.AsyncClient]:
    """Serve the routes and ask them with a key of these scopes."""
    held, clock = Keys(), ManualClock()
    routes = registrations_api.router(
        registrations,
        keys=lambda: keys.load(WebPushSettings(vapid_key=SERVER_PRIVATE)),
        policy=endpoint_policy(BrowserSettings()),
    )
    app = create_app(
        title="Tocsin",
        version="1",
        routers=[routes],
        metrics=Metrics(version="1"),
        authenticator=Authenticator(held, monotonic=clock.monotonic),
        checks={},
        monotonic=clock.monotonic,
    )
    headers = {"Authorization": f"Bearer {held.add(*scopes)}"}
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://tocsin", headers=headers) as client:
        yield client


WANTED: dict[str, Any] = {"recipient_id": "ada", "subscription": DOCUMENT}
PLACE = "/v1/browser/subscriptions"
MAGIC = "https://fcm.googleapis.com/fcm/send/magic:bounced"


async def test_a_page_gets_the_key_that_subscriptions_are_then_bound_to(registrations: Registrations) -> None:
    async with asking(registrations, "submit") as client:
        key = (await client.get("/v1/browser/key")).json()
        made = await client.post(PLACE, json=WANTED)

    assert key["key"] == SERVER_PUBLIC
    assert made.status_code == 201
    assert made.json()["key_id"] == key["key_id"]
    assert ENDPOINT not in made.text
    assert AUTH not in made.text


async def test_the_routes_need_the_scope_submit(registrations: Registrations) -> None:
    async with asking(registrations, "read") as client:
        answers = [
            await client.get("/v1/browser/key"),
            await client.post(PLACE, json=WANTED),
            await client.delete(f"{PLACE}/sub_1"),
        ]

    assert [slug(answer) for answer in answers] == ["forbidden"] * 3


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ({}, ["/recipient_id", "/subscription"]),
        ({**WANTED, "recipient_id": ""}, ["/recipient_id"]),
        ({**WANTED, "recipient": "ada"}, ["/recipient"]),
        ({**WANTED, "subscription": {"endpoint": ENDPOINT}}, ["/subscription/keys"]),
        ({**WANTED, "subscription": {**DOCUMENT, "endpoint": "https://10.0.0.1/"}}, ["/subscription/endpoint"]),
        ({**WANTED, "subscription": {**DOCUMENT, "key_id": "k" * 16}}, ["/subscription/key_id"]),
        ({**WANTED, "subscription": {**DOCUMENT, "endpoint": MAGIC}}, ["/subscription/endpoint"]),
    ],
)
async def test_what_is_wrong_has_its_place(
    registrations: Registrations, body: dict[str, Any], places: list[str]
) -> None:
    async with asking(registrations, "submit") as client:
        answer = await client.post(PLACE, json=body)

    assert (answer.status_code, list(pointers(answer))) == (422, places)
    assert await endpoints(registrations) == []
