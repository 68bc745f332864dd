"""From deliveries to mails, through the shipped templates and through hostile data."""

import email
import email.policy
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.email.address import Mailbox
from channels.email.mail import Mail
from channels.email.render import Renderer
from channels.email.schema import fragments
from tocsin.delivery import Delivery, Lane, Person, TemplateRef
from tocsin.outcome import Rejected
from tocsin.templates.catalogue import Catalogue, load
from tocsin.validation import Schema

STRICT = email.policy.default.clone(raise_on_defect=True)
NOW = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)
BARE = Delivery(
    id="dlv_1",
    notification_id="ntf_1",
    tenant="default",
    channel="email",
    address="ada@example.com",
    recipient=Person(id="u1", locale="de-AT"),
    lane=Lane.NORMAL,
    category="transactional",
    semantics="at_least_once",
    accepted_at=NOW,
    expires_at=NOW + timedelta(days=1),
)


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load(Path(__file__).parents[3] / "configs" / "templates", default_locale="en")


def renderer(catalogue: Catalogue) -> Renderer:
    return Renderer(
        catalogue=catalogue,
        sender=Mailbox(name="Shop", address="no-reply@shop.example"),
        return_path="bounces@shop.example",
        message_id_domain="shop.example",
    )


def templated(catalogue: Catalogue, name: str, data: dict[str, Any]) -> Delivery:
    template = catalogue.current(name)
    assert template is not None
    return msgspec.structs.replace(BARE, template=TemplateRef(name=name, version=template.version), data=data)


def mail(found: Mail | Rejected) -> Mail:
    assert isinstance(found, Mail)
    return found


def body(message: EmailMessage, kind: str) -> str:
    found = message.get_body((kind,))
    assert found is not None
    return str(found.get_content()).replace("\r\n", "\n").removesuffix("\n")


def test_a_template_becomes_a_mail_in_the_locale_of_the_recipient(catalogue: Catalogue) -> None:
    items = [{"name": "Tee & Törtchen", "quantity": 2}]

    found = mail(
        renderer(catalogue).render(templated(catalogue, "order-confirmation", {"order": "A1", "items": items}))
    )

    message = email.message_from_bytes(found.data, policy=STRICT)
    assert message["Subject"] == "Ihre Bestellung A1 ist bestätigt"
    assert message["To"] == "ada@example.com"
    assert message["Auto-Submitted"] == "auto-generated"
    assert "2 x Tee & Törtchen" in body(message, "plain")
    assert "Tee &amp; Törtchen" in body(message, "html")
    assert (found.sender, found.recipient) == ("bounces@shop.example", "ada@example.com")
    assert (found.size, found.needs_smtputf8) == (len(found.data), False)


def test_the_same_delivery_gives_the_same_bytes(catalogue: Catalogue) -> None:
    delivery = templated(catalogue, "welcome", {"name": "Ada"})

    assert renderer(catalogue).render(delivery) == renderer(catalogue).render(delivery)


def test_content_is_sent_as_it_is(catalogue: Catalogue) -> None:
    delivery = msgspec.structs.replace(BARE, content={"subject": " {{ x }}  y ", "text": "{{ x }}"})

    message = email.message_from_bytes(mail(renderer(catalogue).render(delivery)).data, policy=STRICT)

    assert message["Subject"] == " {{ x }}  y "
    assert body(message, "plain") == "{{ x }}"


def test_an_international_address_needs_smtputf8(catalogue: Catalogue) -> None:
    delivery = msgspec.structs.replace(BARE, address="ä@bücher.example", content={"subject": "x", "text": "x"})

    found = mail(renderer(catalogue).render(delivery))

    assert found.recipient == "ä@xn--bcher-kva.example"
    assert found.needs_smtputf8
    assert "To: ä@xn--bcher-kva.example\r\n".encode() in found.data


def test_an_international_sender_needs_smtputf8(catalogue: Catalogue) -> None:
    delivery = msgspec.structs.replace(BARE, content={"subject": "x", "text": "x"})
    made = Renderer(
        catalogue=catalogue,
        sender=Mailbox(name="", address="jörg@shop.example"),
        return_path="bounces@shop.example",
        message_id_domain="shop.example",
    )

    found = mail(made.render(delivery))

    assert "From: jörg@shop.example\r\n".encode() in found.data
    assert found.needs_smtputf8


@pytest.mark.parametrize(
    ("changes", "reason", "scope"),
    [
        ({"address": "nobody", "content": {"subject": "x", "text": "x"}}, "invalid_address", "address"),
        ({"content": {"subject": "a\r\nBcc: e@evil.test", "text": "x"}}, "unsendable_content", "message"),
        ({"content": {"subject": "x", "html": "\ud800"}}, "unsendable_content", "message"),
        ({"content": {"subject": "x"}}, "no_content", "message"),
        ({}, "no_content", "message"),
        ({"template": TemplateRef(name="gone", version="0" * 16)}, "template_missing", "message"),
    ],
)
def test_what_cannot_become_a_mail_is_rejected(
    catalogue: Catalogue, changes: dict[str, Any], reason: str, scope: str
) -> None:
    found = renderer(catalogue).render(msgspec.structs.replace(BARE, **changes))

    assert isinstance(found, Rejected)
    assert (found.reason, found.scope) == (reason, scope)
    assert "evil" not in found.message


def test_a_template_that_fails_rejects_the_message(catalogue: Catalogue) -> None:
    found = renderer(catalogue).render(templated(catalogue, "welcome", {}))

    assert found == Rejected(
        reason="template_error",
        scope="message",
        message="template welcome: de/email.subject.txt, line 1: uses a value that is missing from the data",
    )


def test_a_template_for_other_channels_has_no_mail() -> None:
    catalogue = Catalogue(default_locale="en")
    catalogue.add("sms-only", {"en/sms.txt": "x"}, current=True)
    catalogue.add("subject-only", {"en/email.subject.txt": "x"}, current=True)

    assert [
        cast(Rejected, renderer(catalogue).render(templated(catalogue, name, {}))).reason
        for name in ("sms-only", "subject-only")
    ] == ["template_error", "no_content"]


VALUE = st.text(max_size=60) | st.text(alphabet="ab {}%<>&\"'\r\n\x00é", max_size=30)


@given(name=VALUE, order=VALUE)
def test_any_data_gives_a_mail_that_says_it_or_a_refusal(name: str, order: str) -> None:
    catalogue = Catalogue(default_locale="en")
    files = {
        "en/email.subject.txt": "Order {{ order }}\n",
        "en/email.text.txt": "[{{ name }}]\n",
        "en/email.html": "<p>{{ name }}</p>\n",
    }
    catalogue.add("t", files, current=True)

    found = renderer(catalogue).render(templated(catalogue, "t", {"name": name, "order": order}))

    if isinstance(found, Rejected):
        assert found.reason == "unsendable_content"
        return
    message = email.message_from_bytes(found.data, policy=STRICT)
    assert message["Subject"] == " ".join(f"Order {order}".split())
    assert set(message.keys()) == {
        *("Date", "Message-ID", "From", "MIME-Version", "Auto-Submitted", "To", "Subject", "Content-Type"),
    }
    text = name.replace("\r\n", "\n").replace("\r", "\n")
    assert body(message, "plain") == f"[{text}]"


@pytest.mark.parametrize(
    ("content", "pointers"),
    [
        ({"subject": "x", "text": "x"}, []),
        ({"subject": "x", "html": "x"}, []),
        ({"subject": "x"}, [""]),
        ({"text": "x"}, ["/subject"]),
        ({"subject": "", "text": "x", "bcc": "e"}, ["/bcc", "/subject"]),
    ],
)
def test_the_schema_of_contents(content: dict[str, str], pointers: list[str]) -> None:
    assert [fault.pointer for fault in Schema(fragments()["content"]).faults(content)] == pointers
