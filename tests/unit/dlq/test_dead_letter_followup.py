"""How a replay ended is noted on the letter, whichever of the two is told first."""

from collections.abc import Sequence

import pytest

from dlq import changes
from dlq.decisions import Decisions
from dlq.followup import FollowupSink
from dlq.items import State as ItemState
from tests.unit.dlq import support
from tocsin import envelope, lifecycle
from tocsin.lifecycle import Event, State
from tocsin.record import Received, Record
from tocsin.store.engine import Store

LETTER = support.a_death()
ID = support.letter_id(LETTER)


def told(event: Event, *, life: int, number: int = 1) -> Received:
    """Return an audit event of one life of the delivery."""
    body = support.a_delivery(number=number)
    told = lifecycle.of_delivery(
        event,
        delivery_id=body.id,
        notification_id=body.notification_id,
        tenant="default",
        life=life,
        attempt=1,
        time=support.NOW,
        data={},
    )
    return support.received(envelope.audit_record(told))


async def follow(store: Store, batch: Sequence[Received]) -> None:
    async with store.write() as connection:
        await FollowupSink().write(connection, batch)


ENDINGS = [(lifecycle.ending(state), state) for state in State if state.terminal]


@pytest.mark.parametrize(("event", "state"), ENDINGS)
async def test_the_end_of_a_replay_is_noted(store: Store, decisions: Decisions, event: Event, state: State) -> None:
    await support.keep(store, LETTER)
    await decisions.replay(ID, tenant="default", actor="key_1")
    await follow(store, [told(Event.ATTEMPTED, life=1), told(event, life=1)])
    assert (await support.look(store, ID)).replay_state is state


async def test_an_end_that_is_told_before_the_letter_says_replayed_is_kept(store: Store) -> None:
    await support.keep(store, LETTER)
    item = await support.look(store, ID)
    async with store.write() as connection:
        await changes.begin_replay(connection, item, life=1, actor="key_1", now=support.NOW)
    begun = await support.look(store, ID)
    await follow(store, [told(Event.DELIVERED, life=1)])
    async with store.write() as connection:
        assert await changes.end_replay(connection, begun)
    item = await support.look(store, ID)
    assert (item.state, item.replay_state) == (ItemState.REPLAYED, State.DELIVERED)


async def test_other_lives_other_deliveries_and_noise_are_no_end(store: Store, decisions: Decisions) -> None:
    await support.keep(store, LETTER)
    await decisions.replay(ID, tenant="default", actor="key_1")
    noise = [
        support.received(Record(topic="notifications.audit", key=None, value=value, headers=headers))
        for headers in ((), (("ce_type", Event.DEAD.encode()),))
        for value in (b"", b"\xff", b"[" * 100_000, b'{"id": 1}')
    ]
    await follow(
        store,
        [
            *noise,
            told(Event.DEAD, life=0),
            told(Event.DELIVERED, life=2),
            told(Event.DELIVERED, life=1, number=2),
            told(Event.RETRYING, life=1),
        ],
    )
    assert (await support.look(store, ID)).replay_state is None


async def test_the_first_word_about_an_end_stands(store: Store, decisions: Decisions) -> None:
    await support.keep(store, LETTER)
    await decisions.replay(ID, tenant="default", actor="key_1")
    await follow(store, [told(Event.DELIVERED, life=1), told(Event.DELIVERED, life=1)])
    await follow(store, [told(Event.DEAD, life=1)])
    assert (await support.look(store, ID)).replay_state is State.DELIVERED


async def test_an_end_that_cannot_say_its_notification_counts(store: Store, decisions: Decisions) -> None:
    """A replayed record that could not be read ends its life under the delivery's id alone."""
    await support.keep(store, LETTER)
    await decisions.replay(ID, tenant="default", actor="key_1")
    event = lifecycle.AuditEvent(
        id="evt_1", type=Event.DEAD, time=support.NOW, tenant="default", delivery_id=support.a_delivery().id, life=1
    )
    await follow(store, [support.received(envelope.audit_record(event))])
    assert (await support.look(store, ID)).replay_state is State.DEAD
