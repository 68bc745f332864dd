"""Dead letters: the bytes as they were, and why."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tocsin import deadletter, hops, ids
from tocsin.deadletter import Reason
from tocsin.hops import Failure
from tocsin.record import Headers, Partition, Received, Record, Source, header

NOW = datetime(2030, 1, 1, tzinfo=UTC)
HOP = replace(
    hops.first(now=NOW, expires_at=NOW + timedelta(days=1)),
    attempt=8,
    hops=7,
    not_before=NOW,
    failure=Failure(kind="deferred", code="451", message="later", provider="smtp"),
)


def received(
    *, headers: Headers = (), key: bytes | None = b"key", value: bytes = b"body", topic: str = "notifications.email"
) -> Received:
    return Received(place=Partition(topic, 3), offset=44, key=key, value=value, headers=headers, timestamp=NOW)


def read_back(record: Record) -> deadletter.DeadLetter:
    return deadletter.read(received(headers=record.headers, topic=record.topic))


@given(st.binary(), st.none() | st.binary())
def test_a_dead_letter_has_the_bytes_and_the_key_of_what_died(value: bytes, key: bytes | None) -> None:
    dead = received(value=value, key=key, headers=hops.write((("ce_id", b"x"),), HOP))
    readable = deadletter.of_delivery(dead, channel="email", hop=HOP, reason=Reason.EXHAUSTED)
    unreadable = deadletter.of_unreadable(dead, channel="email", reason=Reason.UNDECODABLE, detail="no")

    for record in (readable, unreadable):
        assert (record.topic, record.key, record.value) == ("notifications.email.dlq", key, value)
        assert header(record.headers, "ce_id") == b"x"


def test_a_dead_letter_tells_why_and_what_was_tried() -> None:
    record = deadletter.of_delivery(received(), channel="email", hop=HOP, reason=Reason.EXHAUSTED)
    letter = read_back(record)

    assert (letter.reason, letter.message, letter.died_at) == ("exhausted", "later", NOW)
    assert letter.origin == Source("notifications.email", 3, 44)
    assert letter.hop is not None
    assert (letter.hop.attempt, letter.hop.failure, letter.hop.not_before) == (8, HOP.failure, None)
    assert letter.hop.hops == HOP.hops + 1


def test_a_dead_letter_names_the_first_record_of_its_life() -> None:
    origin = Source("notifications.email", 1, 2)
    retried = received(topic="notifications.email.retry.1h")
    hop = replace(HOP, origin=origin)
    letter = read_back(deadletter.of_delivery(retried, channel="email", hop=hop, reason=Reason.REJECTED))

    assert letter.origin == origin


def test_what_cannot_be_read_keeps_its_broken_headers() -> None:
    broken = ((hops.LIFE, b"\xff"), (hops.LIFE, b"2"), ("ce_time", b"never"), ("x", b"\x00"))
    record = deadletter.of_unreadable(
        received(headers=broken), channel="email", reason=Reason.BROKEN_HEADERS, detail="header tocsin-life is bad"
    )
    letter = read_back(record)

    assert record.headers[:4] == broken
    assert letter.hop is None
    assert (letter.reason, letter.message) == ("broken_headers", "header tocsin-life is bad")
    assert letter.origin == Source("notifications.email", 3, 44)


def test_what_cannot_be_read_keeps_its_hop_where_that_can_be_read() -> None:
    dead = received(headers=hops.write((), HOP))
    letter = read_back(deadletter.of_unreadable(dead, channel="email", reason=Reason.INVALID, detail="/x is bad"))

    assert letter.hop is not None
    assert (letter.hop.life, letter.hop.attempt, letter.hop.reason) == (HOP.life, HOP.attempt, "invalid")


@pytest.mark.parametrize("shift", range(4))
def test_a_long_detail_is_cut_between_characters_and_breaks_no_hop(shift: int) -> None:
    detail = "x" * shift + "/ключ" * 200
    dead = received(headers=hops.write((), HOP))
    record = deadletter.of_unreadable(dead, channel="email", reason=Reason.INVALID, detail=detail)
    message = header(record.headers, hops.ERROR_MESSAGE) or b""

    assert len(message) <= 512
    assert detail.startswith(message.decode())
    assert read_back(record).hop is not None


names = st.sampled_from([hops.REASON, hops.ERROR_MESSAGE, hops.ORIGIN, hops.LIFE, hops.HISTORY, "ce_id"])


@given(st.lists(st.tuples(names, st.binary(max_size=40))), st.booleans())
def test_reading_a_dead_letter_never_raises(changes: list[tuple[str, bytes]], whole: bool) -> None:
    headers = (*(hops.write((), HOP) if whole else ()), *changes)
    letter = deadletter.read(received(headers=headers))

    assert letter.reason
    assert letter.died_at == NOW


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (hops.ORIGIN, b"a/" + b"1" * 5000 + b"/1"),
        (hops.ORIGIN, "a/²/1".encode()),
        (hops.HISTORY, b'[{"x":' + b"[" * 5000 + b"]" * 5000 + b"}]"),
        (hops.LIFE, b"9" * 5000),
    ],
)
def test_reading_a_dead_letter_never_raises_on_what_breaks_parsers(name: str, value: bytes) -> None:
    headers = tuple(pair for pair in hops.write((), HOP) if pair[0] != name)
    letter = deadletter.read(received(headers=(*headers, (name, value))))

    assert letter.hop is None


def test_a_letter_is_its_lifes_where_that_is_known() -> None:
    delivery = ids.delivery_id("ntf_" + "0" * 26, "email", "a@example.org")
    one, other = Source("notifications.email", 1, 2), Source("notifications.email", 1, 3)
    known = {deadletter.letter_id((delivery, life), place) for life in (0, 1) for place in (one, other)}
    unknown = {deadletter.letter_id(None, place) for name in (None, "junk") for place in (one, other)}

    assert len(known) == 2
    assert len(unknown) == 2
    assert all(letter.startswith("dlt_") and len(letter) == 30 for letter in known | unknown)
