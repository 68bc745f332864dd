"""What a record of `notifications.requests` asks for, under which key, and why another cannot be taken."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.request import Refusal, Request, RequestReader
from tests.support.requesting import DOCUMENT, MAX_BYTES, STRUCTURED, attributes, bare, binary, structured
from tocsin import deadletter
from tocsin.deadletter import Reason
from tocsin.record import Headers, Partition, Received, Record

NOW = datetime(2030, 1, 1, tzinfo=UTC)
READER = RequestReader(max_bytes=MAX_BYTES, log_identity="log")
OTHER_LOG = RequestReader(max_bytes=MAX_BYTES, log_identity="another")
JSON = ("content-type", b"application/json")


def received(record: Record, *, offset: int = 7) -> Received:
    """Return a record as it is read."""
    return Received(
        place=Partition(record.topic, 3),
        offset=offset,
        key=record.key,
        value=record.value,
        headers=record.headers,
        timestamp=NOW,
    )


def key(record: Record, *, offset: int = 7, reader: RequestReader = READER) -> str:
    """Return the idempotency key of a request that can be read."""
    found = reader.read(received(record, offset=offset))
    assert isinstance(found, Request), found
    assert found.item.key is not None
    return found.item.key


@pytest.mark.parametrize("record", [bare(), bare(headers=(JSON,)), binary(), structured()])
def test_each_mode_asks_for_the_same_notification(record: Record) -> None:
    found = READER.read(received(record))

    assert isinstance(found, Request)
    assert found.item.document == DOCUMENT
    assert found.item.size == len(msgspec.json.encode(DOCUMENT))
    assert found.item.asked_at == NOW
    assert found.event == (None if record.headers in {(), (JSON,)} else ("/shop", "1001"))


def test_an_event_has_one_key_in_either_mode_wherever_it_lies() -> None:
    assert key(binary()) == key(binary(), offset=8) == key(structured()) == key(structured(), offset=9)
    assert key(binary(), reader=OTHER_LOG) == key(binary())


@pytest.mark.parametrize("changes", [{"id": "1002"}, {"source": "/shop/eu"}])
def test_another_id_or_source_is_another_key(changes: dict[str, str]) -> None:
    assert key(binary(**changes)) != key(binary())
    assert key(binary(**changes)) == key(structured(**changes))


def test_source_and_id_do_not_run_into_each_other() -> None:
    assert key(binary(source="/a", id="bc")) != key(binary(source="/ab", id="c"))


def test_a_bare_request_has_the_key_that_it_gives_or_that_of_its_place() -> None:
    assert key(bare(headers=(("idempotency-key", b"order-1001"),))) == "order-1001"
    assert key(bare(headers=(("Idempotency-Key", "zwölf".encode()),))) == "zwölf"
    assert key(bare()) == key(bare())
    assert key(bare()) != key(bare(), offset=8)
    assert key(bare()) != key(bare(), reader=OTHER_LOG)


def test_a_replay_has_the_key_of_its_letter_unless_it_has_its_own() -> None:
    replay = (deadletter.REPLAY_OF, b"dlt_1")

    assert key(bare(headers=(replay,))) == key(bare(headers=(replay,)), offset=8) != key(bare())
    assert key(bare(headers=(replay, ("idempotency-key", b"k")))) == "k"
    event = binary()
    assert key(bare(headers=(*event.headers, replay))) == key(event)


def test_attributes_that_say_nothing_to_us_are_left_alone() -> None:
    assert key(binary(subject="s", time="no time", partitionkey="p")) == key(binary())
    nulls = {**attributes(), "dataschema": None, "datacontenttype": None, "data_base64": None, "data": DOCUMENT}
    assert key(bare(nulls, headers=STRUCTURED)) == key(structured())
    assert key(structured(dataschema="urn:tocsin:schema:notification:1")) == key(structured())


def event_headers(**changes: bytes | None) -> Headers:
    """Return the headers of a binary event with others, as bytes, or without."""
    given: dict[str, bytes | None] = {name: value.encode() for name, value in attributes().items()}
    given |= changes
    return tuple((f"ce_{name}", value) for name, value in given.items() if value is not None)


def whole(**changes: Any) -> Record:
    """Return a structured event with other members."""
    return bare({**attributes(), "data": DOCUMENT, **changes}, headers=STRUCTURED)


@pytest.mark.parametrize(
    ("record", "reason", "words"),
    [
        (bare(b""), Reason.UNDECODABLE, "not JSON"),
        (bare(b"{"), Reason.UNDECODABLE, "not JSON"),
        (bare(b'{"a": "\xff"}'), Reason.UNDECODABLE, "not UTF-8"),
        (bare(b"[" * 100_000), Reason.UNDECODABLE, "nested deeper"),
        (bare(b'{"metadata": {"a": "\\u0000"}}'), Reason.INVALID, "/metadata/a holds a NUL"),
        (bare({**DOCUMENT, "idempotency_key": "k"}), Reason.INVALID, "send the header idempotency-key"),
        (bare(b" " * (MAX_BYTES + 1)), Reason.TOO_LARGE, "at most 1,048,576 bytes"),
        (bare(headers=(("content-type", b"application/avro"),)), Reason.BROKEN_HEADERS, "application/json"),
        (bare(headers=(("content-type", b"\xff"),)), Reason.BROKEN_HEADERS, "not UTF-8"),
        (bare(headers=(("idempotency-key", b""),)), Reason.BROKEN_HEADERS, "1 to 255"),
        (bare(headers=(("idempotency-key", b"k" * 256),)), Reason.BROKEN_HEADERS, "1 to 255"),
        (bare(headers=(("idempotency-key", b"\xff"),)), Reason.BROKEN_HEADERS, "not UTF-8"),
        (bare(headers=event_headers(id=None)), Reason.BROKEN_HEADERS, "ce_id is missing"),
        (bare(headers=event_headers(source=b"")), Reason.BROKEN_HEADERS, "ce_source is missing"),
        (bare(headers=event_headers(id=b"\xff")), Reason.BROKEN_HEADERS, "ce_id is not UTF-8"),
        (bare(headers=event_headers(id=b"a\x1fb")), Reason.BROKEN_HEADERS, "control character"),
        (bare(headers=(*event_headers(), ("ce_id", b"2"))), Reason.BROKEN_HEADERS, "ce_id is there 2 times"),
        (bare(headers=event_headers(specversion=b"0.3")), Reason.BROKEN_HEADERS, "specversion is not 1.0"),
        (bare(headers=(("ce_note", b"1"),)), Reason.BROKEN_HEADERS, "ce_specversion is missing"),
        (binary(type="shop.order.created"), Reason.UNKNOWN_SCHEMA, "type is not tocsin.notification.requested"),
        (binary(dataschema="urn:x:2"), Reason.UNKNOWN_SCHEMA, "dataschema is not urn:tocsin"),
        (binary(b"{"), Reason.UNDECODABLE, "not JSON"),
        (binary({**DOCUMENT, "idempotency_key": "k"}), Reason.INVALID, "source and id are its key"),
        (structured(type="shop.order.created"), Reason.UNKNOWN_SCHEMA, "type is not"),
        (whole(specversion="0.3"), Reason.INVALID, "/specversion must be 1.0"),
        (whole(id=7), Reason.INVALID, "/id must be a string"),
        (whole(source=None), Reason.INVALID, "/source is required"),
        (whole(data=None), Reason.INVALID, "/data is required"),
        (whole(data_base64="e30="), Reason.INVALID, "/data_base64 is not read here"),
        (whole(datacontenttype="text/xml"), Reason.INVALID, "/datacontenttype must be application/json"),
        (whole(note="\0"), Reason.INVALID, "/note holds a NUL"),
        (whole(data={**DOCUMENT, "idempotency_key": "k"}), Reason.INVALID, "/data/idempotency_key belongs"),
        (whole(data="x" * MAX_BYTES), Reason.TOO_LARGE, "at most"),
        (bare([attributes()], headers=STRUCTURED), Reason.INVALID, "must be a CloudEvent"),
        (bare(b"", headers=STRUCTURED), Reason.UNDECODABLE, "not JSON"),
        (bare(b" " * (MAX_BYTES + 65_537), headers=STRUCTURED), Reason.TOO_LARGE, "at most"),
        (
            bare([], headers=(("content-type", b"application/cloudevents-batch+json"),)),
            Reason.BROKEN_HEADERS,
            "is not application/cloudevents+json",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_reason_and_the_place(record: Record, reason: Reason, words: str) -> None:
    found = READER.read(received(record))

    assert isinstance(found, Refusal)
    assert found.reason is reason
    assert words in found.detail


def test_a_refusal_does_not_repeat_what_it_refuses() -> None:
    for record in (binary(type="ada@example.test"), whole(id=["ada@example.test"]), bare(b'{"ada@example.test')):
        found = READER.read(received(record))

        assert isinstance(found, Refusal)
        assert "ada" not in found.detail


HEADER = st.tuples(
    st.sampled_from(
        [
            "content-type",
            "idempotency-key",
            "ce_specversion",
            "ce_id",
            "ce_source",
            "ce_type",
            "ce_x",
            "tocsin-replay-of",
        ]
    ),
    st.one_of(
        st.binary(max_size=8),
        st.sampled_from([b"1.0", b"tocsin.notification.requested", b"application/json", STRUCTURED[0][1]]),
    ),
)
VALUE = st.one_of(
    st.binary(max_size=64),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["specversion", "id", "source", "type", "data", "x"]), inner, max_size=6)
        ),
        max_leaves=8,
    ).map(lambda value: msgspec.json.encode(value) if _sound(value) else b"?"),
)


def _sound(value: Any) -> bool:
    try:
        msgspec.json.encode(value)
    except (ValueError, OverflowError):
        return False
    return True


@given(VALUE, st.lists(HEADER, max_size=8))
def test_no_record_is_more_than_a_reader_can_bear(value: bytes, headers: list[tuple[str, bytes]]) -> None:
    record = Record(topic="notifications.requests", key=None, value=value, headers=tuple(headers))

    assert isinstance(READER.read(received(record)), Request | Refusal)
