"""Events become rows: however often, in whatever order, in whatever batches they come, the rows are the same."""

import itertools
import random
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import select

from audit import tables
from audit.fold import fold
from audit.ingest import AuditSink
from tests.unit.audit.stories import NOW, Story, ingest, received
from tocsin import ids
from tocsin.lifecycle import AuditEvent, Event, State
from tocsin.store.engine import Store, open_store

Rows = dict[str, list[tuple[Any, ...]]]


async def rows(store: Store) -> Rows:
    """Return all that the audit has."""
    async with store.read() as connection:
        return {
            name: sorted((tuple(row) for row in await connection.execute(select(table))), key=repr)
            for name, table in tables.metadata.tables.items()
        }


async def state(store: Store, story: Story) -> str:
    query = select(tables.notifications.c.state).where(tables.notifications.c.id == story.id)
    async with store.read() as connection:
        return str(await connection.scalar(query))


async def life(store: Store, story: Story, number: int = 0) -> Any:
    query = select(tables.lives).where(tables.lives.c.delivery_id == story.delivery(), tables.lives.c.life == number)
    async with store.read() as connection:
        return (await connection.execute(query)).one()


def eventful() -> list[AuditEvent]:
    """Return the events of a notification with two deliveries, one of which dies, is replayed and arrives."""
    story = Story(addresses=(("email", "ada@example.test"), ("sms", "+4930123456")))
    return [
        story.accepted(),
        story.attempted(1, "deferred"),
        story.retrying(1),
        story.attempted(1, "delivered", number=1),
        story.delivered(1, number=1),
        story.attempted(2, "rejected"),
        story.dead(2),
        story.replayed(1),
        story.attempted(1, "delivered", life=1),
        story.delivered(1, life=1),
    ]


async def test_a_notification_that_is_delivered(store: Store) -> None:
    story = Story()

    await ingest(store, story.happy())

    found = await rows(store)
    expires = int((NOW + story.ttl).timestamp() * 1000)
    at = int(NOW.timestamp() * 1000)
    assert found["lives"] == [
        (story.delivery(), 0, "delivered", 2, 1, at, at + 2000, expires, None, "250 2.0.0"),
    ]
    assert found["deliveries"] == [(story.delivery(), story.id, "default", "email", "ada@example.test")]
    assert found["notification_metadata"] == [(story.id, "order_id", "default", "1001")]
    assert [row[:4] for row in found["notifications"]] == [(story.id, "default", "delivered", "cust-42")]
    assert len(found["events"]) == 3


async def test_a_batch_that_comes_again_changes_nothing(store: Store) -> None:
    events = eventful()
    await ingest(store, events)
    before = await rows(store)

    await ingest(store, events, events[:3], [*events, *events])

    assert await rows(store) == before


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), cuts=st.lists(st.integers(0, 20), max_size=6))
async def test_neither_order_nor_batches_nor_repeats_matter(
    tmp_path_factory: pytest.TempPathFactory, seed: int, cuts: list[int]
) -> None:
    events = eventful()
    shuffled = [*events, *random.Random(seed).choices(events, k=10)]
    random.Random(seed).shuffle(shuffled)
    edges = [0, *sorted(cuts), len(shuffled)]
    batches = [shuffled[start:end] for start, end in itertools.pairwise(edges)]

    assert await _ingested(tmp_path_factory.mktemp("a"), batches) == await _ingested(
        tmp_path_factory.mktemp("b"), [events]
    )


async def _ingested(folder: Path, batches: Iterable[Sequence[AuditEvent]]) -> Rows:
    async with open_store(f"sqlite:///{folder / 'store.db'}") as store:
        async with store.write() as connection:
            await connection.run_sync(tables.metadata.create_all)
        await ingest(store, *batches)
        return await rows(store)


async def test_what_is_told_before_the_accepted_event_is_there_and_completed_later(store: Store) -> None:
    story = Story()
    accepted, attempted, delivered = story.happy()
    await ingest(store, [delivered], [attempted])

    found = await rows(store)
    assert [row[:4] for row in found["notifications"]] == [(story.id, "default", "delivered", None)]
    assert found["deliveries"] == [(story.delivery(), story.id, "default", "email", None)]

    await ingest(store, [accepted])

    found = await rows(store)
    assert [row[:4] for row in found["notifications"]] == [(story.id, "default", "delivered", "cust-42")]
    assert found["deliveries"] == [(story.delivery(), story.id, "default", "email", "ada@example.test")]
    assert (await life(store, story)).expires_at is not None


async def test_a_late_event_of_an_earlier_state_does_not_take_a_life_back(store: Store) -> None:
    story = Story()
    retrying, delivered = story.retrying(1), story.delivered(2)

    await ingest(store, [story.accepted()], [delivered], [retrying])

    assert (await life(store, story)).state == "delivered"
    assert await state(store, story) == "delivered"


async def test_a_life_ends_once(store: Store) -> None:
    """The ledger lets one end through. Were a second one told, the first would stand, with its reason."""
    story = Story()

    await ingest(store, [story.accepted(), story.dead()], [story.delivered()])

    ended = await life(store, story)
    assert (ended.state, ended.reason, ended.code) == ("dead", "rejected", "550 5.1.1")


async def test_a_replay_opens_a_life_with_an_expiry_of_its_own(store: Store) -> None:
    story = Story()
    await ingest(store, [story.accepted(), story.dead()])
    assert await state(store, story) == "dead"

    await ingest(store, [story.replayed(1, ttl=timedelta(hours=5))])

    assert await state(store, story) == "accepted"
    assert (await life(store, story, 0)).state == "dead"
    reopened = await life(store, story, 1)
    assert (reopened.state, reopened.attempts) == ("accepted", 0)
    assert reopened.expires_at == int((NOW + timedelta(seconds=1, hours=5)).timestamp() * 1000)

    await ingest(store, [story.delivered(life=1)])

    assert await state(store, story) == "delivered"


async def test_what_is_done_with_a_dead_letter_changes_no_life(store: Store) -> None:
    story = Story()
    discarded = story.told(Event.DISCARDED, {"dead_letter_id": "dlt_1", "actor": "key_1"}, attempt=1)

    await ingest(store, [story.accepted(), story.dead(), discarded])

    assert (await life(store, story)).updated_at == int((NOW + timedelta(seconds=2)).timestamp() * 1000)
    assert await state(store, story) == "dead"


@pytest.mark.parametrize("after", [True, False])
async def test_a_death_that_does_not_say_whose_delivery_it_was_ends_its_life(store: Store, after: bool) -> None:
    """A record that could not be read whole: its delivery is known, its notification is not."""
    story = Story()
    stray = msgspec.structs.replace(story.dead(), notification_id=None, tenant="default")
    accepted = story.accepted()

    await ingest(store, *([[accepted], [stray]] if after else [[stray], [accepted]]))

    assert (await life(store, story)).state == "dead"
    assert await state(store, story) == "dead"


async def test_events_of_nobody_are_kept(store: Store) -> None:
    unread = AuditEvent(
        id=ids.hashed(ids.EVENT, "1"), type=Event.DEAD, time=NOW, tenant="default", data={"reason": "x"}
    )
    action = AuditEvent(id="evt_2", type=Event.OPERATOR_KEY_CREATED, time=NOW, tenant="default", data={"actor": "k"})

    await ingest(store, [unread, action, unread])

    found = await rows(store)
    assert {row[5] for row in found["events"]} == {Event.OPERATOR_KEY_CREATED, Event.DEAD}
    assert found["lives"] == found["notifications"] == []


@pytest.mark.parametrize(
    "spoiled",
    [
        pytest.param({"time": datetime(2030, 1, 1)}, id="no offset"),  # noqa: DTZ001 - that is what is wrong with it
        pytest.param({"data": {}}, id="no deliveries"),
        pytest.param({"data": {"deliveries": [], "expires_at": "tomorrow"}}, id="no time"),
        pytest.param({"data": {"deliveries": [], "expires_at": "2030-01-01T00:00:00"}}, id="no offset in the data"),
        pytest.param({"notification_id": None}, id="no notification"),
    ],
)
async def test_an_event_that_is_not_what_it_should_be_is_refused(spoiled: dict[str, Any]) -> None:
    event = msgspec.structs.replace(Story().accepted(), **spoiled)

    with pytest.raises((msgspec.ValidationError, TypeError)):
        fold([event])


@pytest.mark.parametrize("value", [b"", b"\xff", b"{}", b"[" * 100_000, b'{"id": "evt_1", "type": "no.such.type"}'])
async def test_a_record_that_is_no_event_is_refused(store: Store, value: bytes) -> None:
    [record] = received([Story().accepted()])
    with pytest.raises((ValueError, RecursionError)):
        async with store.write() as connection:
            await AuditSink().write(connection, [replace(record, value=value)])


async def test_every_state_of_a_life_is_told_by_an_event(store: Store) -> None:
    for ended in (State.EXPIRED, State.CANCELLED, State.SUPPRESSED):
        story = Story()
        await ingest(store, [story.accepted(), story.told(Event(f"tocsin.delivery.{ended}"), {}, attempt=0)])
        assert await state(store, story) == ended
