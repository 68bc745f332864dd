"""What is wrong with a notification is found at once, with its place and what to write instead."""

import base64
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from producer.check import Checked, Checker
from tocsin.validation import Fault, Schema

NOW = datetime(2030, 1, 1, tzinfo=UTC)
DOCUMENT: dict[str, Any] = {
    "recipient": {"id": "cust-42", "email": "ada@example.test", "locale": "de"},
    "channels": ["email"],
    "template": "order-confirmation",
    "data": {"order": "1001", "items": [{"name": "keyboard", "quantity": 1}]},
}
CONTENT = {"email": {"subject": "s", "text": "t"}}


def without(*names: str, **changes: Any) -> dict[str, Any]:
    """Return the document without some members, and with others."""
    return {**{name: value for name, value in DOCUMENT.items() if name not in names}, **changes}


def check(checker: Checker, document: dict[str, Any]) -> Checked | dict[str, str]:
    """Return what follows from the document, or its faults as details by pointer."""
    found = checker.check(document, size=len(msgspec.json.encode(document)), now=NOW)
    return found if isinstance(found, Checked) else {fault.pointer: fault.detail for fault in found}


def test_a_good_document_has_addresses_a_pinned_template_and_an_end(checker: Checker, schema: Schema) -> None:
    found = check(checker, DOCUMENT)

    assert schema.faults(DOCUMENT) == ()
    assert isinstance(found, Checked)
    assert found.addresses == {"email": ("ada@example.test",)}
    assert found.template is not None
    assert found.template.name == "order-confirmation"
    assert found.expires_at == NOW + timedelta(days=3)


@pytest.mark.parametrize(
    ("changes", "expires_at"),
    [
        ({"expires_in": 60}, NOW + timedelta(minutes=1)),
        ({"expires_at": "2030-01-02T01:00:00+01:00"}, NOW + timedelta(days=1)),
    ],
)
def test_the_end_is_as_the_client_says(checker: Checker, changes: dict[str, Any], expires_at: datetime) -> None:
    found = check(checker, without(**changes))

    assert isinstance(found, Checked)
    assert found.expires_at == expires_at


@pytest.mark.parametrize(
    ("document", "pointer", "words"),
    [
        (without(recipient={"id": "cust-42"}), "/recipient/email", "is required for the channel email"),
        (without(recipient={"email": "ada.example.test"}), "/recipient/email", "there is no @"),
        (without(template="order-confirmaton"), "/template", "did you mean order-confirmation?"),
        (without(data={"order": "1"}), "/data/items", "is required"),
        (without("template", "data"), "/template", "is required, unless `content` is given"),
        (without("template", content=CONTENT), "/data", "is of use only with `template`"),
        (without(content=CONTENT), "/content", "goes in place of `template`"),
        (without("template", "data", content={"sms": {}}), "/content/email", "is required"),
        (without(expires_at="2029-12-31T23:59:59Z"), "/expires_at", "is in the past"),
        (without(expires_at="2030-01-02T00:00:00"), "/expires_at", "RFC 3339"),
        (without(expires_at="tomorrow, around noon or so"), "/expires_at", "RFC 3339"),
        (without(expires_at="2031-01-01T00:00:00Z"), "/expires_at", "more than 30 days"),
        (without(expires_at="2030-01-02T00:00:00Z", expires_in=5), "/expires_in", "not beside it"),
        (without(data={**DOCUMENT["data"], "order": "x" * 300_000}), "", "at most 256 KiB"),
    ],
)
def test_a_mistake_is_told_with_its_place(checker: Checker, document: dict[str, Any], pointer: str, words: str) -> None:
    found = check(checker, document)

    assert not isinstance(found, Checked)
    assert words in found[pointer]


def test_all_mistakes_are_told_together(checker: Checker) -> None:
    found = check(checker, without(recipient={"email": "x"}, template="nothing-like-it", expires_at="yesterday"))

    assert not isinstance(found, Checked)
    assert found.keys() == {"/recipient/email", "/template", "/expires_at"}


def test_attachments_are_counted_apart_and_decoded(checker: Checker) -> None:
    def attached(content: bytes | str) -> dict[str, Any]:
        text = content if isinstance(content, str) else base64.b64encode(content).decode()
        return without(attachments=[{"filename": "a.pdf", "content_type": "application/pdf", "content": text}])

    large, junk = check(checker, attached(b"x" * (512 * 1024 + 1))), check(checker, attached("not base64"))

    assert isinstance(check(checker, attached(b"x" * 512 * 1024)), Checked)
    assert large == {"/attachments": "must be at most 512 KiB in all"}
    assert junk == {"/attachments/0/content": "must be base64"}


@pytest.mark.parametrize(
    ("changes", "pointer", "words"),
    [
        ({"channels": []}, "/channels", "must not be empty"),
        ({"channels": ["pigeon"]}, "/channels/0", "must be one of browser, email"),
        ({"lane": "express"}, "/lane", "must be one of high, normal, bulk"),
        ({"expires_in": 0}, "/expires_in", "must be at least 1"),
        ({"metadata": {"k": 1}}, "/metadata/k", "must be a string"),
        ({"recipient": {"emial": "a@b.test"}}, "/recipient/emial", "did you mean email?"),
        ({"tempalte": "x"}, "/tempalte", "did you mean template?"),
    ],
)
def test_what_the_schema_refuses_is_worded(schema: Schema, changes: dict[str, Any], pointer: str, words: str) -> None:
    faults = {fault.pointer: fault.detail for fault in schema.faults({**DOCUMENT, **changes})}

    assert words in faults[pointer]


def test_magic_recipients_are_for_tests_only(checker: Checker) -> None:
    known, unknown = (
        without(recipient={"email": f"{name}+1@magic.invalid"}) for name in ("deferred", "deferred-twice")
    )

    assert check(checker, known) == {"/recipient/email": "is a magic recipient, and those are for test keys only"}
    assert isinstance(checker.check(known, size=1, now=NOW, test=True), Checked)
    assert isinstance(checker.check(DOCUMENT, size=1, now=NOW, test=True), Checked)
    assert [fault.pointer for fault in faults_of(checker, unknown)] == ["/recipient/email"]
    assert "did you mean deferred" in faults_of(checker, unknown)[0].detail


def faults_of(checker: Checker, document: dict[str, Any]) -> Sequence[Fault]:
    """Return what is wrong with a document as a test."""
    found = checker.check(document, size=1, now=NOW, test=True)
    assert not isinstance(found, Checked)
    return found
