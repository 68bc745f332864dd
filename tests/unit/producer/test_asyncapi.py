"""The AsyncAPI document: sound by itself, current where it is checked in, and true of requests.

That it is true of the audit is tested in `tests/flow/test_requests.py`, on what a whole gateway writes.
"""

import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from producer import asyncapi, request
from producer.check import Checked, Checker
from producer.request import Refusal, Request, RequestReader
from tests.support import ruling
from tests.support.asyncapi import Messages, references, resolved
from tests.support.requesting import DOCUMENT, MAX_BYTES, STRUCTURED, bare, binary, structured
from tests.unit.producer.test_requests import NOW, received
from tocsin import schemas, topics
from tocsin.lifecycle import Event
from tocsin.record import Record
from tocsin.validation import Schema

CHECKED_IN = Path(__file__).parents[3] / "schemas" / "asyncapi.json"
STRUCTURE = json.loads((Path(__file__).parent / "asyncapi-structure.json").read_text(encoding="utf-8"))
FOUND: dict[str, Any] = json.loads(CHECKED_IN.read_text(encoding="utf-8"))
READER = RequestReader(max_bytes=MAX_BYTES, log_identity="log")
REQUESTS = ("bareRequest", "binaryRequest", "structuredRequest")


@pytest.fixture(scope="module")
def requests() -> Messages:
    """The messages of the way in."""
    return Messages(FOUND, "requests")


def test_the_file_is_what_the_code_says() -> None:
    """If this fails: `.venv/bin/python -m producer.asyncapi > schemas/asyncapi.json`."""
    assert CHECKED_IN.read_text(encoding="utf-8") == asyncapi.text(asyncapi.shipped())


def test_it_is_built_as_asyncapi_3_says() -> None:
    """Checked by a schema of our own; AsyncAPI's own one finds no fault with it either."""
    jsonschema.Draft7Validator.check_schema(STRUCTURE)
    jsonschema.Draft7Validator(STRUCTURE).validate(FOUND)


def test_every_reference_leads_somewhere() -> None:
    found = set(references(FOUND))

    assert len(found) > 30
    assert all(resolved(FOUND, reference) is not None for reference in found)


def test_topics_of_events_are_in_it_where_there_are_some(schema: Schema) -> None:
    found = asyncapi.document(schema.document, events=["shop.orders", "shop.payments"])
    messages = Messages(found, "shop.orders")

    jsonschema.Draft7Validator(STRUCTURE).validate(found)
    assert all(resolved(found, reference) is not None for reference in references(found))
    assert found["channels"]["shop.payments"]["address"] == "shop.payments"
    taking = found["operations"]["takeEvent.shop.orders"]
    assert taking["bindings"]["kafka"]["groupId"] == {"const": topics.rules_group()}
    for name, record in (("binaryEvent", ruling.binary), ("structuredEvent", ruling.structured)):
        assert messages.of(received(record(ruling.event("1")))) == [name]


@pytest.mark.parametrize("operation", ["takeRequest", "tellEvent"])
def test_an_operations_messages_are_those_of_its_channel(operation: str) -> None:
    found = FOUND["operations"][operation]
    prefix = found["channel"]["$ref"] + "/messages/"

    assert [each["$ref"].removeprefix(prefix) for each in found["messages"]] == list(
        resolved(FOUND, found["channel"]["$ref"])["messages"]
    )


def test_the_topics_the_group_and_the_events_are_those_that_there_are() -> None:
    addresses = {name: channel["address"] for name, channel in FOUND["channels"].items()}

    assert addresses == {"requests": topics.REQUESTS, "audit": topics.AUDIT}
    assert FOUND["operations"]["takeRequest"]["bindings"]["kafka"]["groupId"] == {"const": topics.intake_group()}
    assert set(FOUND["channels"]["audit"]["messages"]) == set(Event)


def test_the_schemas_of_our_own_files_are_in_it_unchanged(schema: Schema) -> None:
    found = FOUND["components"]["schemas"]
    event = schemas.document("audit-event")
    kept = {name: value for name, value in event.items() if name not in {"$schema", "$id", "$defs"}}

    assert found["auditEvent"] == kept
    assert {name: found[name] for name in Event} == event["$defs"]
    assert found["notification"]["properties"].keys() == schema.document["properties"].keys() - {"idempotency_key"}


def test_every_type_of_event_says_what_is_in_its_data() -> None:
    event = schemas.document("audit-event")

    assert list(event["$defs"]) == event["properties"]["type"]["enum"] == [each.value for each in Event]


def records(name: str) -> list[Record]:
    """Return the examples of a message as records."""
    examples = FOUND["components"]["messages"][name]["examples"]
    return [
        bare(each["payload"], headers=tuple((key, value.encode()) for key, value in each["headers"].items()))
        for each in examples
    ]


@pytest.mark.parametrize("name", REQUESTS)
def test_an_example_is_the_message_that_it_is_of_and_is_taken(
    requests: Messages, schema: Schema, checker: Checker, name: str
) -> None:
    assert records(name)
    for record in records(name):
        found = READER.read(received(record))

        assert requests.of(record) == [name]
        assert isinstance(found, Request)
        assert schema.faults(found.item.document) == ()
        assert isinstance(checker.check(found.item.document, size=found.item.size, now=NOW), Checked)


@pytest.mark.parametrize(
    ("record", "name"),
    [
        (bare(), "bareRequest"),
        (bare(headers=((request.KEY, b"k"), ("content-type", b"application/json; charset=utf-8"))), "bareRequest"),
        (binary(), "binaryRequest"),
        (binary(subject="s", dataschema="urn:tocsin:schema:notification:1"), "binaryRequest"),
        (structured(), "structuredRequest"),
        (structured(time="2030-01-01T00:00:00Z", datacontenttype="application/json"), "structuredRequest"),
    ],
)
def test_what_is_read_is_one_of_the_messages(requests: Messages, record: Record, name: str) -> None:
    assert isinstance(READER.read(received(record)), Request)
    assert requests.of(record) == [name]


@pytest.mark.parametrize(
    "record",
    [
        bare(headers=((request.KEY, b""),)),
        bare(headers=(("content-type", b"text/plain"),)),
        binary(id=None),
        binary(source=""),
        binary(specversion="0.3"),
        binary(type="shop.order.created"),
        binary(dataschema="urn:x"),
        structured(id=None),
        structured(type="shop.order.created"),
        structured(datacontenttype="text/xml"),
        bare({"data": DOCUMENT}, headers=STRUCTURED),
    ],
)
def test_what_is_none_of_the_messages_is_refused(requests: Messages, record: Record) -> None:
    assert isinstance(READER.read(received(record)), Refusal)
    assert requests.of(record) == []


@pytest.mark.parametrize(
    "changes",
    [{"channels": ["pigeon"]}, {"recipient": {"emial": "x"}}, {"idempotency_key": "k"}, {"lane": "fast"}, {"x": 1}],
)
@pytest.mark.parametrize("make", [bare, binary, structured])
def test_what_the_schema_refuses_is_no_message(
    requests: Messages, schema: Schema, changes: dict[str, Any], make: Any
) -> None:
    record = make({**DOCUMENT, **changes})
    found = READER.read(received(record))

    assert isinstance(found, Refusal) or schema.faults(found.item.document)
    assert requests.of(record) == []


def test_it_is_json_of_a_size_that_people_can_read() -> None:
    assert len(msgspec.json.encode(FOUND)) < 64 * 1024
