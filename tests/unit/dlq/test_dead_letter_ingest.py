"""Whatever lies in a dead-letter topic becomes a row, byte for byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from dlq import changes, items
from dlq.items import State
from tests.unit.dlq import support
from tocsin import deadletter, hops, ids, topics
from tocsin.deadletter import Reason
from tocsin.delivery import Lane
from tocsin.record import Received, Record, Source
from tocsin.store.engine import Store


async def test_a_letter_tells_whose_it_is_why_it_died_and_every_attempt(store: Store) -> None:
    body = support.a_delivery()
    letter = support.a_death(body)
    await support.keep(store, letter)
    item = await support.look(store, support.letter_id(letter))
    assert item.id == deadletter.letter_id((body.id, 0), letter.source)
    assert (item.tenant, item.notification_id, item.delivery_id, item.life) == (
        "default",
        body.notification_id,
        body.id,
        0,
    )
    assert (item.channel, item.lane, item.category, item.template) == (
        "email",
        Lane.HIGH,
        "orders",
        "order-confirmation",
    )
    assert (item.reason, item.code, item.message, item.provider) == (
        "rejected",
        "550 5.1.1",
        "no such box",
        "smtp-a",
    )
    assert (item.attempts, [each.outcome for each in item.history]) == (2, ["deferred", "rejected"])
    assert item.origin == Source("notifications.email.high", 3, 7)
    assert (item.state, item.died_at, item.ingested_at) == (State.OPEN, support.NOW, support.NOW)
    assert item.readable


async def test_the_payload_is_kept_byte_for_byte_with_the_order_of_its_headers(store: Store) -> None:
    letter = support.a_death()
    await support.keep(store, letter)
    async with store.read() as connection:
        payload = await items.payload(connection, support.letter_id(letter))
    assert (payload.key, payload.value, payload.headers) == (letter.key, letter.value, letter.headers)


@given(st.lists(st.tuples(st.text(st.characters(exclude_categories=["Cs"])), st.binary())))
def test_any_headers_survive_packing(pairs: list[tuple[str, bytes]]) -> None:
    assert items._headers_decoder.decode(items.pack(tuple(pairs))) == tuple(pairs)


async def test_a_letter_read_again_changes_nothing(store: Store) -> None:
    letter = support.a_death()
    await support.keep(store, letter, letter)
    item = await support.look(store, support.letter_id(letter))
    async with store.write() as connection:
        await changes.discard(connection, item, actor="key_1", now=support.NOW)
    await support.keep(store, letter)
    assert (await support.look(store, item.id)).state is State.DISCARDED
    async with store.read() as connection:
        assert await connection.scalar(select(func.count()).select_from(items.dead_letters)) == 1


async def test_each_life_that_died_is_a_letter_of_its_own(store: Store) -> None:
    first, second = support.a_death(), support.a_death(life=1)
    await support.keep(store, first, second)
    assert (await support.look(store, support.letter_id(first))).life == 0
    assert (await support.look(store, support.letter_id(second))).life == 1


_DEEP = b'[{"attempt": 1, "at": "2026-03-01T12:00:00Z", "outcome": "", "provider": "", "x": ' + b"[" * 100_000
_STRANGE = [
    support.a_riddle(),
    support.a_riddle(value=b""),
    support.a_riddle(value=b"[" * 100_000),
    support.a_riddle(value=b'{"id": "\xff"}'),
    support.a_riddle(reason=Reason.BROKEN_HEADERS, headers=((hops.LIFE, b"\xff"), (hops.LIFE, b"2"), ("", b""))),
    support.a_riddle(reason=Reason.UNKNOWN_SCHEMA, value=support.accepted(support.a_delivery()).value),
    support.a_riddle(headers=((hops.HISTORY, b"[" * 100_000),)),
    support.a_riddle(headers=(*support.accepted(support.a_delivery()).headers, (hops.HISTORY, _DEEP))),
]
_FOREIGN = [
    Record(topic=topics.dlq("sms"), key=None, value=b"hello"),
    Record(topic=topics.dlq("sms"), key=b"", value=b"{}", headers=((hops.ORIGIN, b"a/1/" + b"9" * 30),)),
    Record(topic=topics.dlq("sms"), key=b"", value=b"{}", headers=((hops.ORIGIN, b"a/1/" + b"9" * 5_000),)),
    Record(topic=topics.dlq("sms"), key=b"", value=b"{}", headers=((hops.REASON, b"a\x00\xffb"),)),
    Record(topic=topics.dlq("sms"), key=b"", value=b"{}", headers=((hops.REASON, b"rejected"), ("ce_id", b"dlv_x"))),
]


@pytest.mark.parametrize("letter", [*_STRANGE, *map(support.received, _FOREIGN)])
async def test_a_letter_that_cannot_be_read_is_kept_whole_for_the_default_tenant(
    store: Store, letter: Received
) -> None:
    await support.keep(store, letter)
    item = await support.look(store, support.letter_id(letter))
    assert not item.readable
    assert (item.tenant, item.notification_id) == (None, None)
    async with store.read() as connection:
        payload = await items.payload(connection, item.id)
    assert (payload.key, payload.value, payload.headers) == (letter.key, letter.value, letter.headers)


def test_two_unreadable_records_are_told_apart_by_where_they_lay() -> None:
    assert support.letter_id(support.a_riddle(offset=1)) != support.letter_id(support.a_riddle(offset=2))


def test_the_id_is_the_one_that_the_audit_was_told() -> None:
    """The worker names an unreadable record by its event's id and the life in its headers."""
    body = support.a_delivery()
    record = support.accepted(body, life=2)
    riddle = support.a_riddle(value=b"torn", headers=record.headers)
    assert support.letter_id(riddle) == deadletter.letter_id((body.id, 2), riddle.source)
    lost = support.a_riddle(value=b"torn")
    origin = Source("notifications.email", 3, 9)
    assert support.letter_id(lost) == deadletter.letter_id(None, origin)
    assert support.letter_id(lost).startswith(ids.DEAD_LETTER)
