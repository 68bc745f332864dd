"""The push service double: as strict as the real ones, and at fault when told."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI

from channels.browser import encryption, keys, subscription
from channels.browser.endpoint import EndpointPolicy
from channels.browser.keys import VapidKey
from channels.browser.subscription import Subscription
from channels.browser.vapid import Vapid
from simulators.webpush.simulator import PUBLISHED_KEY, simulator
from tests.support.clock import ManualClock

ORIGIN = "http://push.test"
POLICY = EndpointPolicy(hosts=(), exceptions=frozenset({"push.test:80"}))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def key() -> VapidKey:
    found = keys.read(PUBLISHED_KEY)
    assert found is not None
    return found


@pytest.fixture
async def client(clock: ManualClock) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    async with simulator.open(clock) as router:
        app.include_router(router, prefix="/webpush")
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url=f"{ORIGIN}/webpush/") as made:
            yield made


async def subscribed(client: httpx.AsyncClient, **wanted: Any) -> Subscription:
    answer = await client.post("subscriptions", json=wanted)
    assert answer.status_code == 201, answer.text
    found = subscription.read(answer.json(), pointer="", policy=POLICY)
    assert isinstance(found, Subscription)
    return found


def sealed(text: bytes, to: Subscription) -> bytes:
    return encryption.encrypt(text, to)


async def push(
    client: httpx.AsyncClient, to: Subscription, key: VapidKey, clock: ManualClock, **headers: str | None
) -> httpx.Response:
    """Push `{"a": 1}` with good headers, some of them changed; None leaves one out."""
    good = {
        "authorization": Vapid("mailto:push@example.com", now=clock.now).header(key, ORIGIN),
        "content-encoding": "aes128gcm",
        "ttl": "60",
    }
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = {name: value for name, value in {**good, **named}.items() if value is not None}
    return await client.post(to.endpoint, headers=sent, content=sealed(b'{"a": 1}', to))


async def test_a_good_message_is_taken_and_shown_in_the_clear(
    client: httpx.AsyncClient, key: VapidKey, clock: ManualClock
) -> None:
    browser = await subscribed(client, application_server_key=key.public)
    answer = await push(client, browser, key, clock, urgency="high", topic="t", ttl="99999999")
    [message] = (await client.get("messages")).json()["messages"]

    assert answer.status_code == 201
    assert answer.headers["ttl"] == "2419200"
    assert answer.headers["location"] == f"{ORIGIN}/m/1"
    assert message["payload"] == {"a": 1}
    assert (message["urgency"], message["topic"], message["key"]) == ("high", "t", key.public)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"authorization": None}, 401),
        ({"authorization": "vapid t=a.b.c, k=x"}, 401),
        ({"authorization": "Bearer x"}, 401),
        ({"ttl": None}, 400),
        ({"ttl": "-1"}, 400),
        ({"content_encoding": "aesgcm"}, 400),
        ({"topic": "x" * 33}, 400),
        ({"urgency": "now"}, 400),
    ],
)
async def test_what_a_push_service_refuses_is_refused(
    client: httpx.AsyncClient, key: VapidKey, clock: ManualClock, headers: dict[str, str | None], status: int
) -> None:
    answer = await push(client, await subscribed(client), key, clock, **headers)

    assert answer.status_code == status
    assert (await client.get("messages")).json()["total"] == 0


async def test_a_token_of_another_origin_or_another_time_is_refused(
    client: httpx.AsyncClient, key: VapidKey, clock: ManualClock
) -> None:
    browser = await subscribed(client)
    signer = Vapid("mailto:push@example.com", now=clock.now)
    foreign = await push(client, browser, key, clock, authorization=signer.header(key, "https://other.example"))
    header = signer.header(key, ORIGIN)
    clock.advance(timedelta(hours=13))
    late = await push(client, browser, key, clock, authorization=header)
    clock.advance(-timedelta(hours=37))
    early = await push(client, browser, key, clock, authorization=header)

    assert [each.status_code for each in (foreign, late, early)] == [401, 401, 401]


async def test_a_token_that_was_changed_is_refused(
    client: httpx.AsyncClient, key: VapidKey, clock: ManualClock
) -> None:
    header = Vapid("mailto:push@example.com", now=clock.now).header(key, ORIGIN)
    changed = header.replace("vapid t=ey", "vapid t=eY")

    assert (await push(client, await subscribed(client), key, clock, authorization=changed)).status_code == 401


async def test_a_subscription_of_another_key_is_forbidden(
    client: httpx.AsyncClient, key: VapidKey, clock: ManualClock
) -> None:
    browser = await subscribed(client, application_server_key="B" * 87)

    assert (await push(client, browser, key, clock)).status_code == 403


async def test_what_is_for_another_browser_cannot_be_read(
    client: httpx.AsyncClient, key: VapidKey, clock: ManualClock
) -> None:
    one, other = await subscribed(client), await subscribed(client)
    mixed = Subscription(endpoint=one.endpoint, p256dh=other.p256dh, auth=other.auth)

    assert (await push(client, mixed, key, clock)).status_code == 400


async def test_a_body_that_is_too_large_is_refused(
    client: httpx.AsyncClient, key: VapidKey, clock: ManualClock
) -> None:
    browser = await subscribed(client)
    headers = {
        "authorization": Vapid("mailto:push@example.com", now=clock.now).header(key, ORIGIN),
        "content-encoding": "aes128gcm",
        "ttl": "1",
    }
    fits = await client.post(browser.endpoint, headers=headers, content=sealed(b"x" * 3993, browser))
    exceeds = await client.post(browser.endpoint, headers=headers, content=bytes(4097))

    assert (fits.status_code, exceeds.status_code) == (201, 413)


@pytest.mark.parametrize(
    ("behaviour", "status"),
    [
        ("gone", 410),
        ("unknown", 404),
        ("other-key", 403),
        ("refused", 401),
        ("too-large", 413),
        ("throttled", 429),
        ("unavailable", 503),
        ("redirect", 307),
    ],
)
async def test_a_subscription_can_be_made_to_fail(
    client: httpx.AsyncClient, key: VapidKey, clock: ManualClock, behaviour: str, status: int
) -> None:
    assert (await push(client, await subscribed(client, behaviour=behaviour), key, clock)).status_code == status


async def test_a_fault_happens_as_often_and_to_whom_it_was_told(
    client: httpx.AsyncClient, key: VapidKey, clock: ManualClock
) -> None:
    one, other = await subscribed(client), await subscribed(client)
    fault = {"status": 429, "headers": {"Retry-After": "7"}, "times": 1, "subscription": one.endpoint.rsplit("/")[-1]}
    await client.post("faults", json=fault)
    answers = [await push(client, each, key, clock) for each in (other, one, one)]
    [listed] = (await client.get("faults")).json()["faults"]
    await client.delete("faults")

    assert [each.status_code for each in answers] == [201, 429, 201]
    assert answers[1].headers["retry-after"] == "7"
    assert listed["applied"] == 1
    assert (await client.get("faults")).json() == {"faults": []}


async def test_who_unsubscribed_is_unknown(client: httpx.AsyncClient, key: VapidKey, clock: ManualClock) -> None:
    browser = await subscribed(client)
    await client.delete(f"subscriptions/{browser.endpoint.rsplit('/')[-1]}")

    assert (await push(client, browser, key, clock)).status_code == 404
    assert (await client.get("subscriptions")).json() == {"subscriptions": []}


async def test_the_page_shows_messages_and_no_markup_of_theirs(
    client: httpx.AsyncClient, key: VapidKey, clock: ManualClock
) -> None:
    browser = await subscribed(client)
    headers = {
        "authorization": Vapid("mailto:push@example.com", now=clock.now).header(key, ORIGIN),
        "content-encoding": "aes128gcm",
        "ttl": "1",
    }
    await client.post(browser.endpoint, headers=headers, content=sealed(b"<script>alert(1)</script>", browser))
    page = await client.get("")

    assert "&lt;script&gt;" in page.text
    assert "<script>" not in page.text
    assert "1 messages" in page.text


async def test_a_subscription_can_be_reached_under_another_name(client: httpx.AsyncClient) -> None:
    answer = await client.post("subscriptions", json={"base_url": "http://simulators:8190/webpush/"})

    assert urlsplit(answer.json()["endpoint"]).netloc == "simulators:8190"
    assert urlsplit(answer.json()["endpoint"]).path.startswith("/webpush/push/")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("subscriptions", b'{"behaviour": "odd"}', 422),
        ("subscriptions", b'{"behavior": "ok"}', 422),
        ("subscriptions", b"{", 400),
        ("faults", b'{"status": "x"}', 422),
        ("faults", b'{"status": 500, "drop": true}', 422),
        ("faults", b"", 400),
    ],
)
async def test_what_it_cannot_do_is_told(client: httpx.AsyncClient, path: str, body: bytes, status: int) -> None:
    answer = await client.post(path, content=body)

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
