"""Requests that were refused, in the dead-letter service: kept as they came, put back as they were, or given up."""

import pytest

from dlq import items, listing
from dlq.decisions import AlreadyDecided, Decided, Decisions, Unreadable
from dlq.ingest import DeadLetterSink, row_of
from dlq.items import State
from dlq.listing import Filter
from tests.support.clock import ManualClock
from tests.unit.dlq import support
from tests.unit.dlq.support import NOW, Log
from tocsin import deadletter, delivery, envelope, topics
from tocsin.deadletter import Reason
from tocsin.errors import LogUnavailable
from tocsin.lifecycle import Event
from tocsin.record import Received, Record, header
from tocsin.store.engine import Store

CHANNELS = {topics.REQUESTS_DLQ: deadletter.REQUESTS}
ASKED = Record(
    topic=topics.REQUESTS,
    key=b"k\xff",
    value=b' {"recipient": {}}\n',
    headers=(("ce_id", b"1"), ("x", b"\xff"), ("ce_id", b"2")),
)


def dead(asked: Record = ASKED, *, reason: Reason = Reason.INVALID, whole: bool = True) -> Received:
    """Return the dead letter of a request."""
    letter = deadletter.of_request(support.received(asked), reason=reason, detail="/x is wrong", whole=whole)
    return support.received(letter, offset=40)


def letter_id(letter: Received) -> str:
    """Return the id under which it is kept."""
    return str(row_of(letter, channel=deadletter.REQUESTS, now=NOW)["id"])


async def keep(store: Store, letter: Received) -> str:
    """Ingest a dead letter; return its id."""
    async with store.write() as connection:
        await DeadLetterSink(channels=CHANNELS, clock=ManualClock(NOW)).write(connection, [letter])
    return letter_id(letter)


async def test_it_is_listed_under_requests_with_its_reason_and_its_bytes(store: Store) -> None:
    kept = await keep(store, dead())
    async with store.read() as connection:
        wanted = Filter(channel="requests", reason="invalid")
        [item] = await listing.page(connection, wanted, tenant="default", below=None, limit=10)
        payload = await items.payload(connection, kept)

    assert (item.id, item.channel, item.reason, item.message) == (kept, "requests", "invalid", "/x is wrong")
    assert item.origin == support.received(ASKED).source
    assert (item.delivery_id, item.life, item.readable, item.replayable) == (None, None, False, True)
    assert (payload.key, payload.value) == (ASKED.key, ASKED.value)
    assert payload.headers[: len(ASKED.headers)] == ASKED.headers


def test_what_looks_like_a_delivery_is_a_request_all_the_same() -> None:
    asked = Record(topic=topics.REQUESTS, key=None, value=delivery.encode(support.a_delivery()))
    row = row_of(dead(asked, reason=Reason.HANDLER_ERROR), channel=deadletter.REQUESTS, now=NOW)

    assert (row["tenant"], row["visible_to"], row["notification_id"]) == (None, "default", None)


async def test_a_replay_puts_the_very_bytes_back_and_names_the_letter(
    store: Store, decisions: Decisions, log: Log
) -> None:
    kept = await keep(store, dead())
    answer = await decisions.replay(kept, tenant="default", actor="key_1")
    again, told = log.records
    event = envelope.audit_event(told.value)

    assert isinstance(answer, Decided)
    assert (answer.item.state, answer.item.replay_life) == (State.REPLAYED, 0)
    assert (again.topic, again.key, again.value) == (topics.REQUESTS, ASKED.key, ASKED.value)
    assert again.headers == (*ASKED.headers, (deadletter.REPLAY_OF, kept.encode()))
    assert (event.type, event.data["dead_letter_id"]) == (Event.REQUEST_REPLAYED, kept)
    assert isinstance(await decisions.replay(kept, tenant="default", actor="key_1"), AlreadyDecided)


async def test_a_replay_that_was_cut_off_writes_the_same_again(store: Store, decisions: Decisions, log: Log) -> None:
    kept = await keep(store, dead())
    log.failing, log.torn = [LogUnavailable("no disk")], True
    with pytest.raises(LogUnavailable):
        await decisions.replay(kept, tenant="default", actor="key_1")
    await decisions.finish(await support.look(store, kept))
    first, _, second, _ = log.records

    assert first == second
    assert (await support.look(store, kept)).state is State.REPLAYED


async def test_a_replay_of_a_replay_names_the_newest_letter_only(store: Store, decisions: Decisions, log: Log) -> None:
    await decisions.replay(await keep(store, dead()), tenant="default", actor="key_1")
    again = support.received(log.records[0], offset=99)
    letter = deadletter.of_request(again, reason=Reason.INVALID, detail="still")
    newest = await keep(store, support.received(letter, offset=41))
    await decisions.replay(newest, tenant="default", actor="key_1")
    names = [value for name, value in log.records[2].headers if name == deadletter.REPLAY_OF]

    assert names == [newest.encode()]


async def test_a_discard_is_told_as_a_requests(store: Store, decisions: Decisions, log: Log) -> None:
    kept = await keep(store, dead())
    assert isinstance(await decisions.discard(kept, tenant="default", actor="key_1"), Decided)
    [told] = log.records

    assert header(told.headers, "ce_type") == b"tocsin.request.discarded"
    assert (await support.look(store, kept)).state is State.DISCARDED


async def test_what_was_too_large_to_be_kept_can_only_be_discarded(store: Store, decisions: Decisions) -> None:
    kept = await keep(store, dead(reason=Reason.TOO_LARGE, whole=False))

    assert isinstance(await decisions.replay(kept, tenant="default", actor="key_1"), Unreadable)
    assert isinstance(await decisions.discard(kept, tenant="default", actor="key_1"), Decided)
