"""A letter is decided once, and what was decided reaches the log, wherever it was cut off."""

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace

from dlq import changes, items
from dlq.decisions import AlreadyDecided, Decided, Decisions, Missing, Unreadable
from dlq.items import State
from dlq.resume import Resume
from tests.support.clock import ManualClock
from tests.unit.dlq import support
from tests.unit.dlq.support import Log
from tocsin import envelope, hops, topics
from tocsin.delivery import Lane
from tocsin.errors import LogUnavailable
from tocsin.lifecycle import AuditEvent, Event
from tocsin.lifecycle import State as LifeState
from tocsin.record import Record
from tocsin.store.engine import Store

LETTER = support.a_death()
ID = support.letter_id(LETTER)


def events(log: Log) -> list[AuditEvent]:
    return [envelope.audit_event(each.value) for each in log.records if each.topic == topics.AUDIT]


def deliveries(log: Log) -> list[Record]:
    return [each for each in log.records if each.topic != topics.AUDIT]


async def replayed(decisions: Decisions, letter_id: str = ID) -> items.Item:
    answer = await decisions.replay(letter_id, tenant="default", actor="key_1")
    assert isinstance(answer, Decided)
    return answer.item


async def resume(store: Store, decisions: Decisions, clock: ManualClock) -> None:
    await Resume(store=store, decisions=decisions, clock=clock).once(before=clock.now())


async def test_a_replay_writes_the_record_of_the_accept_at_the_start_of_a_new_life(
    store: Store, decisions: Decisions, log: Log
) -> None:
    body = support.a_delivery()
    await support.keep(store, LETTER)
    item = await replayed(decisions)
    assert (item.state, item.replay_life, item.replayed_by) == (State.REPLAYED, 1, "key_1")
    assert (item.replayed_at, item.outstanding_since) == (support.NOW, None)
    original = support.accepted(body)
    hop = hops.first(now=support.NOW, expires_at=support.NOW + support.SPAN, life=1)
    wanted = replace(original, headers=hops.write(original.headers, hop))
    assert deliveries(log) == [wanted]
    assert wanted.topic == topics.delivery("email", Lane.HIGH)


async def test_a_replay_is_told_to_the_audit_in_the_same_write(store: Store, decisions: Decisions, log: Log) -> None:
    await support.keep(store, LETTER)
    await replayed(decisions)
    [event] = events(log)
    assert (event.type, event.life, event.attempt, event.time) == (Event.REPLAYED, 1, 0, support.NOW)
    assert event.data == {
        "channel": "email",
        "dead_letter_id": ID,
        "actor": "key_1",
        "expires_at": "2026-03-01T14:00:00.000Z",
    }


async def test_a_letter_of_a_replay_opens_the_life_after_its_own(store: Store, decisions: Decisions, log: Log) -> None:
    letter = support.a_death(life=1)
    await support.keep(store, LETTER, letter)
    await replayed(decisions)
    assert (await replayed(decisions, support.letter_id(letter))).replay_life == 2
    assert [hops.read(each.headers).life for each in deliveries(log)] == [1, 2]


async def test_replays_at_once_share_one_life(store: Store, decisions: Decisions, log: Log) -> None:
    await support.keep(store, LETTER)
    answers = await asyncio.gather(*(decisions.replay(ID, tenant="default", actor=f"key_{n}") for n in range(5)))
    assert all(isinstance(answer, Decided | AlreadyDecided) for answer in answers)
    assert {hops.read(each.headers).life for each in deliveries(log)} == {1}
    assert len({event.id for event in events(log)}) == 1
    assert {event.data["actor"] for event in events(log)} == {(await support.look(store, ID)).replayed_by}


async def test_replay_and_discard_at_once_have_one_winner(store: Store, decisions: Decisions, log: Log) -> None:
    await support.keep(store, LETTER)
    answers = await asyncio.gather(
        decisions.discard(ID, tenant="default", actor="key_1"), decisions.replay(ID, tenant="default", actor="key_2")
    )
    assert [type(answer) for answer in answers] == [Decided, AlreadyDecided]
    assert [event.type for event in events(log)] == [Event.DISCARDED]
    assert deliveries(log) == []


async def test_a_change_of_what_has_changed_since_changes_nothing(store: Store) -> None:
    await support.keep(store, LETTER)
    seen = await support.look(store, ID)
    async with store.write() as connection:
        assert await changes.begin_replay(connection, seen, life=1, actor="key_1", now=support.NOW)
        assert not await changes.begin_replay(connection, seen, life=1, actor="key_2", now=support.NOW)
        assert not await changes.discard(connection, seen, actor="key_2", now=support.NOW)
        assert not await changes.end_replay(connection, seen)
    item = await support.look(store, ID)
    assert (item.state, item.replayed_by, item.version) == (State.REPLAYING, "key_1", seen.version + 1)


@pytest.mark.parametrize("torn", [False, True], ids=["before_the_write", "after_the_write"])
async def test_a_replay_cut_off_at_the_log_goes_on_with_the_same_life(
    store: Store, decisions: Decisions, log: Log, clock: ManualClock, torn: bool
) -> None:
    await support.keep(store, LETTER)
    log.torn, log.failing = torn, [LogUnavailable("disk full")]
    with pytest.raises(LogUnavailable):
        await replayed(decisions)
    assert (await support.look(store, ID)).state is State.REPLAYING
    written = len(deliveries(log))
    clock.advance(timedelta(minutes=5))
    await resume(store, decisions, clock)
    item = await support.look(store, ID)
    assert (item.state, item.replay_life, item.outstanding_since) == (State.REPLAYED, 1, None)
    assert len(deliveries(log)) == written + 1
    assert {hops.read(each.headers).life for each in deliveries(log)} == {1}
    assert len({event.id for event in events(log)}) == 1
    await resume(store, decisions, clock)
    assert len(deliveries(log)) == written + 1


async def test_a_replay_cut_off_after_the_log_had_it_goes_on(
    store: Store, decisions: Decisions, log: Log, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await support.keep(store, LETTER)

    async def crash(*_: object) -> bool:
        raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(changes, "end_replay", crash)
        with pytest.raises(RuntimeError):
            await replayed(decisions)
    await resume(store, decisions, clock)
    assert (await support.look(store, ID)).state is State.REPLAYED
    assert [hops.read(each.headers).life for each in deliveries(log)] == [1, 1]


async def test_a_repeat_of_a_replay_that_was_cut_off_goes_on_with_it(
    store: Store, decisions: Decisions, log: Log, clock: ManualClock
) -> None:
    await support.keep(store, LETTER)
    log.failing = [LogUnavailable("disk full")]
    with pytest.raises(LogUnavailable):
        await replayed(decisions)
    clock.advance(timedelta(hours=1))
    answer = await decisions.replay(ID, tenant="default", actor="key_2")
    assert isinstance(answer, Decided)
    assert (answer.item.replay_life, answer.item.replayed_by) == (1, "key_1")
    # The client waits from now on, not from when the log was broken.
    [record] = deliveries(log)
    assert hops.read(record.headers).expires_at == clock.now() + support.SPAN


async def test_a_life_that_is_known_to_have_ended_is_not_published_again(
    store: Store, decisions: Decisions, log: Log, clock: ManualClock
) -> None:
    await support.keep(store, LETTER)
    item = await support.look(store, ID)
    async with store.write() as connection:
        await changes.begin_replay(connection, item, life=1, actor="key_1", now=support.NOW)
        await changes.note_end(connection, delivery_id=str(item.delivery_id), life=1, state=LifeState.DELIVERED)
    await resume(store, decisions, clock)
    assert (await support.look(store, ID)).state is State.REPLAYED
    assert log.records == []


async def test_an_unreadable_letter_cannot_be_replayed_but_discarded(
    store: Store, decisions: Decisions, log: Log
) -> None:
    riddle = support.a_riddle()
    letter_id = support.letter_id(riddle)
    await support.keep(store, riddle)
    assert isinstance(await decisions.replay(letter_id, tenant="default", actor="key_1"), Unreadable)
    assert (await support.look(store, letter_id)).state is State.OPEN
    assert isinstance(await decisions.discard(letter_id, tenant="default", actor="key_1"), Decided)
    [event] = events(log)
    assert (event.notification_id, event.delivery_id, event.life, event.tenant) == (None, None, None, "default")
    assert event.data == {"channel": "email", "dead_letter_id": letter_id, "actor": "key_1"}


async def test_a_discard_is_told_of_the_life_that_died(store: Store, decisions: Decisions, log: Log) -> None:
    await support.keep(store, LETTER)
    answer = await decisions.discard(ID, tenant="default", actor="key_1")
    assert isinstance(answer, Decided)
    assert (answer.item.state, answer.item.discarded_by, answer.item.discarded_at) == (
        State.DISCARDED,
        "key_1",
        support.NOW,
    )
    [event] = events(log)
    assert (event.type, event.delivery_id, event.life) == (Event.DISCARDED, support.a_delivery().id, 0)


async def test_a_discard_cut_off_at_the_log_is_told_later_and_stays_one_event(
    store: Store, decisions: Decisions, log: Log, clock: ManualClock
) -> None:
    await support.keep(store, LETTER)
    log.torn, log.failing = True, [LogUnavailable("late"), LogUnavailable("late")]
    with pytest.raises(LogUnavailable):
        await decisions.discard(ID, tenant="default", actor="key_1")
    with pytest.raises(LogUnavailable):
        await decisions.discard(ID, tenant="default", actor="key_2")
    clock.advance(timedelta(days=1))
    await resume(store, decisions, clock)
    item = await support.look(store, ID)
    assert (item.state, item.discarded_by, item.outstanding_since) == (State.DISCARDED, "key_1", None)
    assert len(log.records) == 3
    assert len(set(log.records)) == 1


async def test_a_decided_letter_is_not_decided_again(store: Store, decisions: Decisions, log: Log) -> None:
    other = support.a_death(support.a_delivery(number=2))
    await support.keep(store, LETTER, other)
    await replayed(decisions)
    await decisions.discard(support.letter_id(other), tenant="default", actor="key_1")
    written = len(log.records)
    for letter_id in (ID, support.letter_id(other)):
        assert isinstance(await decisions.replay(letter_id, tenant="default", actor="key_1"), AlreadyDecided)
        assert isinstance(await decisions.discard(letter_id, tenant="default", actor="key_1"), AlreadyDecided)
    assert len(log.records) == written


async def test_the_letter_of_another_tenant_is_not_there(store: Store, decisions: Decisions, log: Log) -> None:
    letter = support.a_death(support.a_delivery(number=2, tenant="acme"))
    await support.keep(store, letter, LETTER)
    assert isinstance(await decisions.replay(support.letter_id(letter), tenant="default", actor="key_1"), Missing)
    assert isinstance(await decisions.discard(ID, tenant="acme", actor="key_1"), Missing)
    assert log.records == []
