"""States, their ranks, and the ids of the events that tell of them."""

from datetime import UTC, datetime
from itertools import product

import pytest

from tocsin import lifecycle
from tocsin.lifecycle import AuditEvent, Event, State

NOW = datetime(2030, 1, 1, tzinfo=UTC)
DELIVERY = "dlv_" + "0" * 26
OTHER = "dlv_" + "0" * 25 + "1"
NOTIFICATION = "ntf_" + "0" * 26
TERMINAL = {State.CANCELLED, State.SUPPRESSED, State.EXPIRED, State.DEAD, State.DELIVERED}


def told(
    event: Event, *, delivery: str = DELIVERY, life: int = 0, attempt: int = 0, time: datetime = NOW
) -> AuditEvent:
    return lifecycle.of_delivery(
        event,
        delivery_id=delivery,
        notification_id=NOTIFICATION,
        tenant="t",
        life=life,
        attempt=attempt,
        time=time,
        data={},
    )


def test_five_states_are_terminal() -> None:
    assert {state for state in State if state.terminal} == TERMINAL


def test_a_state_that_is_further_on_outranks_the_ones_before() -> None:
    assert State.ACCEPTED.rank < State.RETRYING.rank < min(state.rank for state in TERMINAL)


def test_no_event_that_arrives_late_undoes_an_end() -> None:
    for ended, late in product(TERMINAL, {*State} - TERMINAL):
        assert late.rank < ended.rank


@pytest.mark.parametrize("state", sorted(TERMINAL))
def test_an_ending_puts_its_life_in_its_state(state: State) -> None:
    assert lifecycle.state_after(lifecycle.ending(state)) is state


@pytest.mark.parametrize("state", sorted({*State} - TERMINAL))
def test_what_has_not_ended_has_no_ending(state: State) -> None:
    with pytest.raises(KeyError):
        lifecycle.ending(state)


def test_an_event_has_the_last_word_of_its_state() -> None:
    for event in Event:
        state = lifecycle.state_after(event)
        if state is not None and event not in {Event.ACCEPTED, Event.REPLAYED}:
            assert event.endswith(f".{state}")


@pytest.mark.parametrize("event", [Event.ATTEMPTED, Event.DISCARDED, Event.OPERATOR_KEY_CREATED])
def test_what_only_happens_changes_no_state(event: Event) -> None:
    assert lifecycle.state_after(event) is None


def test_a_replay_begins_a_life() -> None:
    assert lifecycle.state_after(Event.REPLAYED) is State.ACCEPTED


def test_an_event_told_twice_has_one_id_whenever_it_is_told() -> None:
    later = datetime(2031, 1, 1, tzinfo=UTC)

    assert told(Event.DEAD, life=1, attempt=2).id == told(Event.DEAD, life=1, attempt=2, time=later).id


def test_events_that_differ_in_anything_have_different_ids() -> None:
    events = [
        told(event, delivery=delivery, life=life, attempt=attempt)
        for event, delivery, life, attempt in product(Event, (DELIVERY, OTHER), (0, 1, 11), (0, 1, 11))
    ]

    assert len({event.id for event in events}) == len(events)
    assert all(event.id.startswith("evt_") and len(event.id) == 30 for event in events)


def test_a_notifications_event_has_one_id_of_its_own() -> None:
    one, two = (
        lifecycle.of_notification(Event.ACCEPTED, notification_id=identifier, tenant="t", time=NOW, data={})
        for identifier in (NOTIFICATION, "ntf_" + "0" * 25 + "1")
    )

    assert one.id != two.id
    assert one.delivery_id is None
