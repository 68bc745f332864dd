"""Events of any type in every mode: the same event is the same to a rule, and what is none says why."""

import base64
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from starlette.requests import Request

from producer.cloudevents import NotAnEvent
from producer.rules import event as events
from producer.rules import http
from producer.rules.event import Event
from tests.support import ruling
from tocsin.record import Headers, Partition, Received, Record
from tocsin.web.problems import ProblemError

MOST = 10_000
EVENT: dict[str, Any] = {**ruling.event("1"), "subject": "o-1", "comexample": "größe"}
IN_HEADERS = {name: value for name, value in EVENT.items() if name != "data"}


def received(record: Record) -> Received:
    now = datetime(2030, 1, 1, tzinfo=UTC)
    return Received(
        place=Partition(record.topic, 0),
        offset=0,
        key=None,
        value=record.value,
        headers=record.headers,
        timestamp=now,
    )


def of(record: Record) -> Event:
    return events.of_record(received(record), max_bytes=MOST)


def raw(value: bytes, *headers: tuple[str, bytes]) -> Record:
    return Record(topic="t", key=None, value=value, headers=headers)


async def asked(body: bytes, **headers: str) -> Event:
    """Return the event of an HTTP request."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    given = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return await http.single(Request({"type": "http", "method": "POST", "headers": given}, receive), max_bytes=MOST)


def test_an_event_of_a_topic_is_the_same_in_both_modes() -> None:
    binary = of(ruling.binary(EVENT)).document()

    assert of(ruling.structured(EVENT)).document() == EVENT
    assert binary == {**EVENT, "datacontenttype": "application/json"}


async def test_an_event_over_http_is_the_same_in_both_modes() -> None:
    data = msgspec.json.encode(EVENT["data"])
    encoded = {f"ce_{name}": value for name, value in IN_HEADERS.items()} | {"ce_comexample": "gr%C3%B6%C3%9Fe"}
    binary = await asked(data, content_type="application/json; charset=utf-8", **encoded)
    structured = await asked(msgspec.json.encode(EVENT), content_type="application/cloudevents+json; charset=utf-8")

    assert binary.document() == {**EVENT, "datacontenttype": "application/json"}
    assert structured.document() == EVENT


async def test_a_quoted_header_is_what_it_quotes() -> None:
    required = {"ce_specversion": "1.0", "ce_id": "1", "ce_source": "/s", "ce_type": "T"}
    event = await asked(b"", ce_subject=r'"a \"b\" \\ c%20d"', **required)

    assert event.attributes["subject"] == r'a "b" \ c d'
    assert event.document()["data"] is None


async def test_what_says_nothing_of_being_an_event_is_415() -> None:
    with pytest.raises(ProblemError) as caught:
        await asked(b"{}", content_type="application/json")

    assert caught.value.status == 415
    assert "application/cloudevents+json" in caught.value.detail


def test_data_in_base64_is_read_as_its_type_says() -> None:
    packed = base64.b64encode(b'{"a": 1}').decode()
    bare = {name: value for name, value in EVENT.items() if name != "data"}
    as_json = events.of_document({**bare, "data_base64": packed}, max_bytes=MOST)
    as_text = events.of_document({**bare, "data_base64": packed, "datacontenttype": "text/plain"}, max_bytes=MOST)

    assert as_json.document()["data"] == {"a": 1}
    assert as_text.document()["data"] is None


def test_data_that_is_no_json_leaves_the_attributes_to_go_by() -> None:
    headers: Headers = (*ruling.binary(EVENT).headers[:-1], ("content-type", b"application/avro"))

    assert of(raw(b"\xff\x00", *headers)).document()["data"] is None


def test_data_is_looked_at_only_when_it_is_asked_for() -> None:
    event = of(raw(b"\xff not json", *ruling.binary(EVENT).headers))

    assert event.identity == ("/shop/orders", "1")
    with pytest.raises(ProblemError):
        event.document()


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"id": ""}, "/id"),
        ({"source": 1}, "/source"),
        ({"subject": 1}, "/subject"),
        ({"specversion": "0.3"}, "/specversion"),
        ({"extra": {"a": 1}}, "/extra"),
        ({"data_base64": "eA=="}, "/data_base64"),
        ({"data": None, "data_base64": "*"}, "/data_base64"),
    ],
)
def test_what_is_no_event_says_where(change: dict[str, Any], pointer: str) -> None:
    with pytest.raises(NotAnEvent) as caught:
        events.of_document({**EVENT, **change}, max_bytes=MOST)

    assert [fault.pointer for fault in caught.value.faults] == [pointer]


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (raw(b"x"), "ce_specversion is missing"),
        (raw(b"x", *ruling.binary(EVENT).headers, ("ce_id", b"2")), "ce_id is there 2 times"),
        (raw(b"x", *ruling.binary(EVENT).headers, ("ce_x", b"\xff")), "ce_x is not UTF-8"),
        (raw(b"x", *ruling.binary(EVENT).headers, ("ce_x", b"a\0")), "ce_x holds a control character"),
        (raw(b"[]", ("content-type", b"application/cloudevents-batch+json")), "content-type is not"),
    ],
)
def test_a_record_that_is_no_event_says_why(record: Record, why: str) -> None:
    with pytest.raises(NotAnEvent, match=why):
        of(record)


@pytest.mark.parametrize("record", [ruling.binary, ruling.structured])
def test_an_event_that_is_too_large_is_none(record: Any) -> None:
    with pytest.raises(ProblemError, match="at most 10,000 bytes"):
        of(record({**EVENT, "data": "x" * 100_000})).document()
