"""Receipts in the timeline: what a provider tells later is told with its delivery, and changes no state."""

from datetime import timedelta
from random import Random
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from tests.unit.audit.stories import NOW, Story, ingest
from tocsin import receipts
from tocsin.lifecycle import AuditEvent, Event
from tocsin.store.engine import Store

RECEIPTS = [event for event in Event if event.startswith("tocsin.receipt.")]
LATER = timedelta(hours=2)


def receipt(
    story: Story, event: Event, *, later: timedelta = LATER, provider_id: str = "SM1", whole: bool = True
) -> AuditEvent:
    """Tell of a receipt. Unless `whole`, the callback could not say whose notification it is."""
    return receipts.receipt(
        event,
        delivery_id=story.delivery(),
        notification_id=story.id if whole else None,
        tenant="default",
        life=0,
        provider_id=provider_id,
        time=NOW + later,
        data={"channel": "email", "provider": "smtp", "provider_id": provider_id, "code": "30006", "message": "no"},
    )


async def told(client: httpx.AsyncClient, story: Story) -> tuple[str, dict[str, Any]]:
    """Return the state of the notification, and the life of its delivery."""
    answer = await client.get(f"/v1/notifications/{story.id}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    [delivery] = found["deliveries"]
    [life] = delivery["lives"]
    return found["state"], life


def kinds(life: dict[str, Any]) -> list[str]:
    return [event["type"].removeprefix("tocsin.") for event in life["events"]]


@pytest.mark.parametrize("event", RECEIPTS)
async def test_a_late_receipt_refines_delivered_and_does_not_replace_it(
    client: httpx.AsyncClient, store: Store, event: Event
) -> None:
    story = Story()
    await ingest(store, story.happy())
    _, before = await told(client, story)
    await ingest(store, [receipt(story, event)])
    state, life = await told(client, story)

    assert state == life["state"] == "delivered"
    assert kinds(life) == ["delivery.attempted", "delivery.delivered", event.removeprefix("tocsin.")]
    assert life["events"][-1]["data"]["provider_id"] == "SM1"
    assert {**life, "events": []} == {**before, "events": []}


async def test_a_receipt_told_twice_is_one(client: httpx.AsyncClient, store: Store) -> None:
    story = Story()
    await ingest(store, story.happy(), [receipt(story, Event.RECEIPT_CONFIRMED)] * 2)
    await ingest(store, [receipt(story, Event.RECEIPT_CONFIRMED, later=2 * LATER)])
    _, life = await told(client, story)

    assert kinds(life).count("receipt.confirmed") == 1


@pytest.mark.parametrize("seed", range(6))
async def test_receipts_in_any_order_are_the_same_timeline(client: httpx.AsyncClient, store: Store, seed: int) -> None:
    story = Story()
    events = [
        *story.happy(),
        receipt(story, Event.RECEIPT_CONFIRMED),
        receipt(story, Event.RECEIPT_READ, later=LATER + timedelta(seconds=1), whole=False),
    ]
    for event in Random(seed).sample(events, len(events)):
        await ingest(store, [event])
    state, life = await told(client, story)

    assert state == "delivered"
    assert kinds(life) == ["delivery.attempted", "delivery.delivered", "receipt.confirmed", "receipt.read"]


async def test_a_receipt_of_the_same_moment_comes_after_what_it_refines(
    client: httpx.AsyncClient, store: Store
) -> None:
    story = Story()
    events = [receipt(story, Event.RECEIPT_CONFIRMED), *story.happy()]
    await ingest(store, [replace(event, time=NOW) for event in events])
    _, life = await told(client, story)

    assert kinds(life) == ["delivery.attempted", "delivery.delivered", "receipt.confirmed"]


async def test_a_receipt_that_comes_before_the_answer_ends_nothing(client: httpx.AsyncClient, store: Store) -> None:
    """A provider may call back before it has answered the call."""
    story = Story()
    await ingest(store, [story.accepted(), receipt(story, Event.RECEIPT_FAILED, later=timedelta(milliseconds=1))])
    state, life = await told(client, story)
    assert state == life["state"] == "accepted"
    await ingest(store, [story.attempted(1, "delivered"), story.delivered()])

    assert (await told(client, story))[0] == "delivered"


async def test_a_suppressed_delivery_says_why(client: httpx.AsyncClient, store: Store) -> None:
    story = Story()
    await ingest(store, [story.accepted(), story.told(Event.SUPPRESSED, {"reason": "opt_out"}, attempt=0)])
    state, life = await told(client, story)

    assert (state, life["state"], life["reason"], life["attempts"]) == ("suppressed", "suppressed", "opt_out", 0)
