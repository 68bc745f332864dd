"""What is wrong with a document, in words and with a pointer; and that the two validators agree."""

import copy
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jsonschema
import jsonschema_rs
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tocsin.validation import Fault, Schema, pointer

SCHEMAS = Path(__file__).parents[3] / "schemas"
ID = "dlv_" + "0" * 26
ATTACHMENT = {"filename": "a.pdf", "content_type": "application/pdf", "content": "AAAA", "content_id": "a"}
DELIVERY = {
    "id": ID,
    "notification_id": "ntf_" + "0" * 26,
    "tenant": "default",
    "channel": "email",
    "address": "ann@example.org",
    "recipient": {"id": "7", "locale": "de"},
    "lane": "normal",
    "category": "default",
    "semantics": "at_least_once",
    "accepted_at": "2030-01-01T00:00:00Z",
    "expires_at": "2030-01-02T00:00:00Z",
    "template": {"name": "welcome", "version": "1"},
    "data": {"a": [1, 2.5, None, True, {"b": "c"}]},
    "attachments": [ATTACHMENT],
    "metadata": {"order": "7"},
}
EVENT = {
    "id": "evt_" + "0" * 26,
    "type": "tocsin.delivery.dead",
    "time": "2030-01-01T00:00:00Z",
    "tenant": "default",
    "notification_id": "ntf_" + "0" * 26,
    "delivery_id": ID,
    "life": 0,
    "attempt": 8,
    "data": {"channel": "email"},
}
NOTIFICATION = {
    "recipient": {"id": "7", "locale": "de"},
    "channels": ["email"],
    "template": "welcome",
    "data": {"a": 1},
    "attachments": [ATTACHMENT],
    "lane": "high",
    "category": "otp",
    "expires_in": 3600,
    "expires_at": "2030-01-01T00:00:00Z",
    "metadata": {"order": "7"},
    "idempotency_key": "k",
}


def document(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SCHEMAS / f"{name}.json").read_text())
    if name == "notification":
        found["properties"]["channels"]["items"]["enum"] = ["email"]
    return found


SCHEMA = {name: Schema(document(name)) for name in ("delivery", "audit-event", "notification")}
EXAMPLE: dict[str, dict[str, Any]] = {"delivery": DELIVERY, "audit-event": EVENT, "notification": NOTIFICATION}
FAST = {name: jsonschema_rs.Draft202012Validator(document(name), validate_formats=False) for name in SCHEMA}
REFERENCE = {name: jsonschema.Draft202012Validator(document(name)) for name in SCHEMA}


def faults(name: str, **changes: Any) -> Sequence[Fault]:
    return SCHEMA[name].faults({**EXAMPLE[name], **changes})


@pytest.mark.parametrize("name", SCHEMA)
def test_an_example_is_valid(name: str) -> None:
    assert SCHEMA[name].accepts(EXAMPLE[name])
    assert SCHEMA[name].faults(EXAMPLE[name]) == ()


@pytest.mark.parametrize(
    ("name", "changes", "fault"),
    [
        ("notification", {"lane": "fast"}, ("/lane", "must be one of high, normal, bulk")),
        ("notification", {"channels": []}, ("/channels", "must not be empty")),
        ("notification", {"channels": ["email"] * 9}, ("/channels", "must have at most 8 items")),
        ("notification", {"channels": ["fax"]}, ("/channels/0", "must be one of email")),
        ("notification", {"channels": "email"}, ("/channels", "must be a list")),
        ("notification", {"recipient": []}, ("/recipient", "must be an object")),
        ("notification", {"category": ""}, ("/category", "must not be empty")),
        ("notification", {"category": "x" * 65}, ("/category", "must have at most 64 characters")),
        ("notification", {"recipient": {"locale": "d"}}, ("/recipient/locale", "must have at least 2 characters")),
        ("notification", {"expires_in": 0}, ("/expires_in", "must be at least 1")),
        ("notification", {"expires_in": 2_592_001}, ("/expires_in", "must be at most 2592000")),
        ("notification", {"expires_in": 1.5}, ("/expires_in", "must be an integer")),
        ("notification", {"expires_in": True}, ("/expires_in", "must be an integer")),
        ("notification", {"content": {}}, ("/content", "must not be empty")),
        ("notification", {"metadata": {"k": 7}}, ("/metadata/k", "must be a string")),
        ("notification", {"metadata": {"k": "v" * 513}}, ("/metadata/k", "must have at most 512 characters")),
        (
            "notification",
            {"metadata": {f"k{n}": "v" for n in range(33)}},
            ("/metadata", "must have at most 32 keys"),
        ),
        (
            "notification",
            {"recipient": {"email": "x"}},
            ("/recipient/email", "is not known here; known: id, locale"),
        ),
        ("notification", {"content": {"sms": {}}}, ("/content/sms", "is not known here")),
        (
            "notification",
            {"attachments": [ATTACHMENT, {"filename": "a", "content_type": "a/b"}]},
            ("/attachments/1/content", "is required"),
        ),
        ("delivery", {"id": "dlv_"}, ("/id", "must have at least 30 characters")),
        ("delivery", {"content": {}}, ("", "does not match the rule `oneOf`")),
        ("delivery", {"metadata": {"a/b~c": None}}, ("/metadata/a~1b~0c", "must be a string")),
        ("audit-event", {"life": -1}, ("/life", "must be at least 0")),
        ("audit-event", {"data": None}, ("/data", "must be an object")),
        ("audit-event", {"attempt": "1"}, ("/attempt", "must be an integer")),
    ],
)
def test_a_fault_is_worded_and_located(name: str, changes: dict[str, Any], fault: tuple[str, str]) -> None:
    found = faults(name, **changes)

    assert [(each.pointer, each.detail) for each in found] == [fault]


def test_each_missing_property_is_named_once() -> None:
    found = SCHEMA["audit-event"].faults({"tenant": "t"})

    assert [(each.pointer, each.detail) for each in found] == [
        ("/id", "is required"),
        ("/time", "is required"),
        ("/type", "is required"),
    ]


def test_each_unknown_property_is_named_once() -> None:
    found = faults("notification", xyz=1, xyzz=2)

    assert [each.pointer for each in found] == ["/xyz", "/xyzz"]
    assert all(each.detail.startswith("is not known here; known: attachments, category") for each in found)


@pytest.mark.parametrize("key", ["", "k" * 65])
def test_a_property_name_that_is_wrong_is_told_as_such(key: str) -> None:
    """The metadata is not too long: its key is. The pointer or the words have to say so."""
    [found] = faults("notification", metadata={key: "v"})

    assert found.pointer == "/metadata/" + key or "name" in found.detail or "key" in found.detail


def test_no_value_is_repeated_back() -> None:
    secret = "s3cret" * 1000
    found = SCHEMA["notification"].faults(
        dict.fromkeys(NOTIFICATION, secret) | {"metadata": {"k": [secret]}, "channels": [secret]}
    )

    assert found
    assert not any("s3cret" in each.detail or "s3cret" in each.pointer for each in found)


def test_no_more_than_20_faults_are_told() -> None:
    assert len(faults("delivery", metadata={f"k{n}": n for n in range(50)})) == 20


@pytest.mark.parametrize("instance", [None, True, 0, 1.5, "text", [], [[]]])
@pytest.mark.parametrize("name", SCHEMA)
def test_what_is_no_object_is_told_so_at_the_root(name: str, instance: Any) -> None:
    assert [fault.pointer for fault in SCHEMA[name].faults(instance) if fault.detail == "must be an object"] == [""]


@pytest.mark.parametrize(
    ("path", "expected"), [([], ""), (["a", 0], "/a/0"), (["a/b", "c~d", ""], "/a~1b/c~0d/"), (["~1"], "/~01")]
)
def test_a_pointer_follows_rfc_6901(path: list[str | int], expected: str) -> None:
    assert pointer(path) == expected


def test_a_schema_that_is_none_is_refused() -> None:
    with pytest.raises(jsonschema.SchemaError):
        Schema({"type": "nothing"})


def nested(depth: int) -> Any:
    found: Any = "leaf"
    for _ in range(depth):
        found = [found]
    return found


@pytest.mark.parametrize("depth", [10, 100, 250, 300, 490])
@pytest.mark.parametrize("name", SCHEMA)
def test_data_may_be_nested_as_deep_as_json_is_read(name: str, depth: int) -> None:
    assert SCHEMA[name].faults({**EXAMPLE[name], "data": {"x": nested(depth)}}) == ()


@pytest.mark.parametrize("depth", [10, 100, 250, 300, 490])
def test_what_is_nested_deep_where_it_may_not_be_is_a_fault(depth: int) -> None:
    assert [fault.pointer for fault in faults("delivery", metadata={"k": nested(depth)})] == ["/metadata/k"]


# The differential test: both validators say the same of whatever lies near our schemas.

text = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=8)
edges: list[Any] = [
    *(None, True, False, 0, 1, -1, 1.0, 0.0, -0.0, 1.5, 1e0, 3600.0, 2_592_000, 2_592_000.0, 2_592_001, 2_592_000.5),
    *(2**53, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**30, 1e30, 1e308, 5e-324, 10**400),
    *("", " ", "\n", "\x00", "high", "high\n", "email", "email\n", "EMAIL", "e\u0301mail", "\ufeffemail"),
    *("x" * n for n in (1, 2, 3, 20, 30, 31, 35, 36, 40, 41, 64, 65, 127, 128, 255, 256, 257, 512, 513)),
    *("\U0001f600" * n for n in (1, 2, 15, 30, 31, 64, 65)),
    *("e\u0301" * n for n in (15, 16, 32, 33)),
    *("0" * 30 + "\n", "\n" * 30, "\r\n" * 15),
    *([], {}, [None], [[]], [{}], {"": ""}, {"\n": "x"}, ["email"], ["email", "email"], ["email"] * 9, ["email", 1]),
    *({f"k{n}": "v" for n in range(count)} for count in (32, 33)),
    *({"k" * n: "v"} for n in (64, 65)),
    *({"\U0001f600" * n: "v"} for n in (32, 64, 65)),
    *([dict(ATTACHMENT)] * n for n in (20, 21)),
    *({**ATTACHMENT, "content": None}, {**ATTACHMENT, "more": 1}),
]
values = st.sampled_from(edges) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)


def places(instance: Any) -> list[list[str | int]]:
    """Return the path of everything in a document, itself included."""
    found: list[list[str | int]] = [[]]
    items: Any = ()
    if isinstance(instance, dict):
        items = instance.items()
    elif isinstance(instance, list):
        items = enumerate(instance)
    for key, inner in items:
        found.extend([key, *path] for path in places(inner))
    return found


def changed(instance: Any, path: Sequence[str | int], action: str, value: Any, key: str) -> Any:
    """Return the document with one thing set, removed or added at a path."""
    if not path:
        if action == "add" and isinstance(instance, dict):
            return {**instance, key: value}
        if action == "add" and isinstance(instance, list):
            return [*instance, value]
        return value
    if len(path) == 1 and action == "remove":
        del instance[path[0]]
        return instance
    instance[path[0]] = changed(instance[path[0]], path[1:], action, value, key)
    return instance


@st.composite
def near(draw: st.DrawFn, name: str) -> Any:
    """Draw a valid example with up to three mutations."""
    instance: Any = copy.deepcopy(EXAMPLE[name])
    known = st.sampled_from([*document(name)["properties"], "content_id", "filename", "version", "locale", "", "more"])
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(instance)))
        action = draw(st.sampled_from(["set", "set", "remove", "add"]))
        value = copy.deepcopy(draw(values))
        instance = changed(instance, path, action, value, draw(known | text))
    return instance


def agree(name: str, instance: Any) -> None:
    fast = FAST[name].is_valid(instance)
    reference = REFERENCE[name].is_valid(instance)
    found = SCHEMA[name].faults(instance)

    assert fast == reference, instance
    assert bool(found) != fast
    assert not any(fault.detail == "is not valid" for fault in found)


often = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@often
@given(near("delivery"))
def test_both_validators_agree_on_what_is_nearly_a_delivery(instance: Any) -> None:
    agree("delivery", instance)


@often
@given(near("audit-event"))
def test_both_validators_agree_on_what_is_nearly_an_audit_event(instance: Any) -> None:
    agree("audit-event", instance)


@often
@given(near("notification"))
@example({**NOTIFICATION, "content": {}, "template": 1})
def test_both_validators_agree_on_what_is_nearly_a_notification(instance: Any) -> None:
    agree("notification", instance)


@pytest.mark.parametrize("name", SCHEMA)
def test_both_validators_agree_on_every_edge_in_every_place(name: str) -> None:
    for path in places(EXAMPLE[name]):
        for value in edges:
            agree(name, changed(copy.deepcopy(EXAMPLE[name]), path, "set", copy.deepcopy(value), ""))
