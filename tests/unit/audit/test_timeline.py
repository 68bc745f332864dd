"""`GET /v1/notifications/{id}`: what became of one notification."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import msgspec
import pytest

from audit.arrivals import Arrivals
from tests.support.clock import ManualClock
from tests.support.waiting import until
from tests.unit.audit.stories import NOW, Story, ingest, received
from tests.unit.audit.visitors import key
from tocsin import ids
from tocsin.lifecycle import Event
from tocsin.store.engine import Store

LONG_AGO = NOW - timedelta(days=1)


async def found(client: httpx.AsyncClient, story: Story) -> Any:
    answer = await client.get(f"/v1/notifications/{story.id}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_notification_with_all_that_happened_to_it(client: httpx.AsyncClient, store: Store) -> None:
    story = Story(addresses=(("email", "ada@example.test"), ("sms", "+4930123456")))
    await ingest(
        store,
        [
            story.accepted(),
            story.attempted(1, "deferred"),
            story.retrying(1),
            story.delivered(1, number=1),
            story.dead(2),
            story.replayed(1),
            story.delivered(1, life=1),
        ],
    )

    told = await found(client, story)

    assert told["id"] == story.id
    assert (told["state"], told["partial"]) == ("delivered", False)
    assert told["recipient"] == {"id": "cust-42", "locale": "de"}
    assert told["channels"] == ["email", "sms"]
    assert (told["category"], told["lane"]) == ("orders", "normal")
    assert told["template"] == {"name": "order-confirmation", "version": "v1"}
    assert told["metadata"] == {"order_id": "1001"}
    assert told["accepted_at"] == "2030-01-01T00:00:00.000Z"
    assert told["expires_at"] == "2030-01-02T00:00:00.000Z"
    assert [event["type"] for event in told["events"]] == ["tocsin.notification.accepted"]
    email, sms = told["deliveries"]
    assert (email["id"], email["channel"], email["address"]) == (story.delivery(0), "email", "ada@example.test")
    assert (sms["id"], sms["state"]) == (story.delivery(1), "delivered")
    assert email["state"] == "delivered"
    first, second = email["lives"]
    assert (first["life"], first["state"], first["attempts"]) == (0, "dead", 2)
    assert (first["reason"], first["code"]) == ("rejected", "550 5.1.1")
    assert [event["type"].rpartition(".")[2] for event in first["events"]] == ["attempted", "retrying", "dead"]
    assert first["events"][0]["data"]["outcome"] == "deferred"
    assert first["events"][0]["time"] == "2030-01-01T00:00:01.000Z"
    assert (second["life"], second["state"]) == (1, "delivered")
    assert [event["type"].rpartition(".")[2] for event in second["events"]] == ["replayed", "delivered"]


async def test_events_of_one_moment_are_told_in_the_order_in_which_they_follow(
    client: httpx.AsyncClient, store: Store
) -> None:
    story = Story()
    events = [story.attempted(1, "deferred"), story.retrying(1), story.attempted(2, "delivered"), story.delivered(2)]
    await ingest(store, [msgspec.structs.replace(event, time=NOW) for event in [*reversed(events), story.accepted()]])

    told = await found(client, story)

    [life] = told["deliveries"][0]["lives"]
    assert [(event["type"].rpartition(".")[2], event["attempt"]) for event in life["events"]] == [
        ("attempted", 1),
        ("retrying", 1),
        ("attempted", 2),
        ("delivered", 2),
    ]


async def test_one_of_two_deliveries_is_a_part(client: httpx.AsyncClient, store: Store) -> None:
    story = Story(addresses=(("email", "ada@example.test"), ("sms", "+4930123456")))
    await ingest(store, [story.accepted(), story.delivered(), story.dead(number=1)])

    told = await found(client, story)

    assert (told["state"], told["partial"]) == ("delivered", True)


async def test_a_death_that_did_not_say_whose_it_was_is_told_with_its_delivery(
    client: httpx.AsyncClient, store: Store
) -> None:
    story = Story()
    await ingest(store, [story.accepted(), msgspec.structs.replace(story.dead(), notification_id=None)])

    told = await found(client, story)

    assert told["state"] == "dead"
    assert [event["type"] for event in told["deliveries"][0]["lives"][0]["events"]] == ["tocsin.delivery.dead"]


async def test_an_event_of_a_life_that_nobody_told_of_is_not_hidden(client: httpx.AsyncClient, store: Store) -> None:
    story = Story()
    await ingest(store, [story.accepted(), story.told(Event.DISCARDED, {"actor": "k"}, attempt=1, life=3)])

    told = await found(client, story)

    assert [event["type"] for event in told["events"]] == ["tocsin.notification.accepted", "tocsin.delivery.discarded"]


async def test_without_its_accepted_event_a_notification_is_told_as_far_as_it_is_known(
    client: httpx.AsyncClient, store: Store
) -> None:
    story = Story()
    await ingest(store, [story.delivered()])

    told = await found(client, story)

    assert told["state"] == "delivered"
    assert (told["accepted_at"], told["template"], told["channels"], told["metadata"]) == (None, None, [], {})
    assert told["deliveries"][0]["address"] is None


@pytest.mark.parametrize(
    "malformed",
    [
        "nonsense",
        "ntf_",
        "ntf_short",
        "dlv_01kafw3m2r8d5v7x0q4t6y9b1c",
        "ntf_01KAFW3M2R8D5V7X0Q4T6Y9B1C",
        "ntf_" + "u" * 26,
    ],
)
async def test_what_is_no_id_is_told_what_one_looks_like(client: httpx.AsyncClient, malformed: str) -> None:
    answer = await client.get(f"/v1/notifications/{malformed}")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert "ntf_ and 26 characters" in answer.json()["detail"]


async def test_the_notification_of_another_tenant_looks_like_none(client: httpx.AsyncClient, store: Store) -> None:
    theirs, nobodys = Story(tenant="other", made=LONG_AGO), Story(made=LONG_AGO)
    await ingest(store, theirs.happy())

    answers = [await client.get(f"/v1/notifications/{story.id}") for story in (theirs, nobodys)]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].text.replace(theirs.id, "") == answers[1].text.replace(nobodys.id, "")
    seen = await client.get(f"/v1/notifications/{theirs.id}", headers=key("other", "read"))
    assert seen.status_code == 200


async def test_reading_needs_the_scope(client: httpx.AsyncClient) -> None:
    for path in (f"/v1/notifications/{Story().id}", "/v1/notifications"):
        assert (await client.get(path, headers=key("default", "submit"))).status_code == 403
        assert (await client.get(path, headers={"Authorization": "Bearer nonsense"})).status_code == 401


async def test_an_id_that_was_just_made_waits_for_the_audit(
    client: httpx.AsyncClient, store: Store, clock: ManualClock, arrivals: Arrivals
) -> None:
    story = Story(made=NOW - timedelta(seconds=9))
    asked = asyncio.create_task(client.get(f"/v1/notifications/{story.id}"))
    await until(clock.next_due, what="the request to wait")

    arrivals.committed(received(Story().happy()))
    assert not asked.done()
    await ingest(store, story.happy())
    arrivals.committed(received(story.happy()))

    assert (await asked).json()["state"] == "delivered"
    assert not arrivals._expected
    assert clock.next_due() is None


async def test_an_id_that_was_just_made_is_not_waited_for_longer_than_two_seconds(
    client: httpx.AsyncClient, clock: ManualClock, arrivals: Arrivals
) -> None:
    asked = asyncio.create_task(client.get(f"/v1/notifications/{Story().id}"))
    await until(clock.next_due, what="the request to wait")
    assert clock.next_due() == NOW + timedelta(seconds=2)

    clock.advance(timedelta(seconds=2))

    assert (await asked).status_code == 404
    assert not arrivals._expected


async def test_what_arrives_between_the_look_and_the_wait_is_not_missed(
    store: Store, arrivals: Arrivals, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = Story()
    original: Callable[..., Any] = store.read
    looked = False

    def read() -> Any:
        nonlocal looked
        if not looked:
            looked = True
            return _then_arrive()
        return original()

    class _then_arrive:  # noqa: N801 - a context manager like the one it stands for
        async def __aenter__(self) -> Any:
            self.inner = original()
            return await self.inner.__aenter__()

        async def __aexit__(self, *error: object) -> Any:
            await self.inner.__aexit__(*error)
            await ingest(store, story.happy())
            arrivals.committed(received(story.happy()))

    monkeypatch.setattr(store, "read", read)

    assert (await client.get(f"/v1/notifications/{story.id}")).status_code == 200


@pytest.mark.parametrize("made", [NOW - timedelta(seconds=11), NOW + timedelta(days=300)])
async def test_an_old_id_and_one_of_the_future_are_answered_at_once(client: httpx.AsyncClient, made: Any) -> None:
    assert (await client.get(f"/v1/notifications/{Story(made=made).id}")).status_code == 404


def test_ids_in_the_examples_are_ids() -> None:
    from audit import examples  # noqa: PLC0415 - data that only this test looks at

    assert ids.made_at(examples.TIMELINE["id"])
    assert all(ids.made_at(delivery["id"]) for delivery in examples.TIMELINE["deliveries"])
