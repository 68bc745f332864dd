"""The inbox through the whole gateway: submitted, put there, listened to over a cut, and read."""

from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.backends import Backend, Cluster
from tests.support.gateways import Gateway, running
from tests.support.sse import Events, listening

CONTENT = {"title": "Your parcel", "body": "It comes today — före kl. 12", "url": "/parcels/7", "data": {"parcel": 7}}
INBOX: dict[str, Any] = {"browser": {"inbox": True}}
EVENTS = "/v1/inbox/events"


@pytest.fixture
def both(backend: Backend) -> Backend:
    """Return the backend, with the topics of the channel browser."""
    return replace(backend, channels=("email", "browser")) if isinstance(backend, Cluster) else backend


def notification(recipient: str = "cust-42", **content: Any) -> dict[str, Any]:
    """Return a notification for an inbox."""
    return {"recipient": {"id": recipient}, "channels": ["browser"], "content": {"browser": {**CONTENT, **content}}}


async def ticket(gateway: Gateway, recipient: str = "cust-42") -> str:
    """Return what opens a recipient's inbox."""
    answer = await gateway.client.post("/v1/inbox/tickets", json={"recipient_id": recipient})
    assert answer.status_code == 201, answer.text
    text: str = answer.json()["ticket"]
    return text


async def test_what_is_submitted_comes_to_the_page_that_listens(tmp_path: Path, both: Backend) -> None:
    async with running(tmp_path, backend=both, **INBOX) as gateway:
        query = {"ticket": await ticket(gateway)}
        async with listening(gateway.client, EVENTS, params=query) as events:
            await gateway.submit(notification("somebody-else"))
            answer = await gateway.submit(notification(), category="orders")
            event = await events.next()
        told = await gateway.ended(answer["id"])

        assert (event.id, event.type) == ("1", "message")
        assert event.data == {
            "id": 1,
            "notification_id": answer["id"],
            "category": "orders",
            "icon": None,
            **CONTENT,
            "created_at": event.data["created_at"],
            "read_at": None,
        }
        assert told["state"] == "delivered"
        assert [each["address"] for each in told["deliveries"]] == ["inbox:cust-42"]


async def test_a_page_that_comes_back_after_a_restart_gets_what_it_missed_and_nothing_twice(
    tmp_path: Path, both: Backend
) -> None:
    async with running(tmp_path, backend=both, **INBOX) as gateway:
        text = await ticket(gateway)
        async with listening(gateway.client, EVENTS, params={"ticket": text}) as events:
            first = [await sent_and_seen(gateway, events, number) for number in range(3)]
            last_id = events.last_id
        missed = await gateway.submit(notification(body="3"))
        await gateway.ended(missed["id"])
    async with running(tmp_path, backend=both, **INBOX) as gateway:
        again = await gateway.submit(notification(body="4"))
        await gateway.ended(again["id"])
        headers = {"Last-Event-ID": str(last_id)}
        async with listening(gateway.client, EVENTS, params={"ticket": text}, headers=headers) as events:
            rest = await events.take(2)
            rest.append(await sent_and_seen(gateway, events, 5))

        assert [each["body"] for each in first + rest] == ["0", "1", "2", "3", "4", "5"]
        assert [each["id"] for each in first + rest] == [1, 2, 3, 4, 5, 6]


async def test_what_a_page_has_read_is_a_receipt_that_is_told_once(tmp_path: Path, both: Backend) -> None:
    async with running(tmp_path, backend=both, **INBOX) as gateway:
        query = {"ticket": await ticket(gateway)}
        answer = await gateway.submit(notification())
        await gateway.ended(answer["id"])
        before = (await gateway.client.get("/v1/inbox/messages", params=query)).json()
        for _ in range(2):
            read = await gateway.client.post("/v1/inbox/read", params=query, json={"ids": [1, 99]})
            assert read.status_code == 204, read.text
        after = (await gateway.client.get("/v1/inbox/messages", params=query)).json()
        told = await gateway.until(
            f"/v1/notifications/{answer['id']}", lambda found: "tocsin.receipt.read" in event_types(found)
        )

        assert (before["unread"], before["items"][0]["read_at"]) == (1, None)
        assert (after["unread"], after["items"][0]["read_at"] is None) == (0, False)
        assert event_types(told).count("tocsin.receipt.read") == 1
        assert told["state"] == "delivered"


async def test_a_page_that_listens_does_not_hold_up_the_gateways_end(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        page = await stack.enter_async_context(httpx.AsyncClient())
        async with running(tmp_path, **INBOX) as gateway:
            query = {"ticket": await ticket(gateway)}
            url = str(gateway.client.base_url.copy_with(path=EVENTS))
            events = await stack.enter_async_context(listening(page, url, params=query))
            await sent_and_seen(gateway, events, 1)

        # The server would wait 10 s for a request that does not end, and then cut it off in the middle.
        await events.ended()


def event_types(told: dict[str, Any]) -> list[str]:
    """Return the types of the events of a notification's one delivery."""
    return [event["type"] for event in told["deliveries"][0]["lives"][0]["events"]]


async def sent_and_seen(gateway: Gateway, events: Events, number: int) -> Any:
    """Submit one more, and return it as the page gets it."""
    await gateway.submit(notification(body=str(number)))
    [found] = await events.take(1)
    return found
