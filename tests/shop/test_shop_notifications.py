"""What the shop's rules make of its events: who is told what, in which words. The rules are all that says so."""

from typing import Any

import pytest

from examples.shop.kit import events
from tests.shop import told
from tocsin.runtime.trial import Trial

MAILS = {
    "CustomerCreated": "welcome",
    "OrderPlaced": "order-confirmation",
    "PaymentNotAuthorized": "payment-refused",
    "InventoryInsufficient": "out-of-stock",
    "ShippingConfirmed": "shipping-confirmation",
    "OrderCancelled": "order-cancelled",
}


@pytest.fixture(scope="module")
def rules() -> Trial:
    return told.rules()


def parts(rules: Trial, kind: str, **event: Any) -> dict[str, str]:
    """Return the parts of all messages of an event, by name."""
    return {
        name: text
        for rule in told.made(rules, told.event(kind, **event))
        for message in rule.messages
        for name, text in message.parts.items()
    }


@pytest.mark.parametrize("kind", events.TYPES)
def test_each_event_is_told_of_as_it_should_be(rules: Trial, kind: str) -> None:
    expected = [(MAILS[kind], "email", told.ADA["email"])] if kind in MAILS else []
    if kind == "ShippingConfirmed":
        expected.append(("shipping-confirmation", "sms", told.ADA["phone"]))
    made = told.made(rules, told.event(kind))

    assert [
        (rule.notification["template"], message.channel, message.address) for rule in made for message in rule.messages
    ] == expected
    about = {"customer_id": "cus-1"} if kind == "CustomerCreated" else {"order_id": "order-1"}
    assert all(rule.notification["metadata"] == about for rule in made)


@pytest.mark.parametrize(
    ("reason", "refund_cents", "mails"),
    [
        ("payment_not_authorized", 0, 0),  # the refused payment has its own mail
        ("out_of_stock", 22710, 1),
        ("out_of_stock", 0, 0),  # the simple flow: what is sold out has its own mail, and nothing was paid
        ("shipping_failed", 22710, 1),
        ("shipping_failed", 0, 1),
        ("cancelled_by_customer", 22710, 1),
        ("cancelled_by_customer", 0, 1),
    ],
)
def test_who_was_told_why_is_not_told_twice(rules: Trial, reason: str, refund_cents: int, mails: int) -> None:
    assert len(told.made(rules, told.event("OrderCancelled", reason=reason, refund_cents=refund_cents))) == mails


def test_without_a_phone_there_is_no_text(rules: Trial) -> None:
    made = told.made(rules, told.event("ShippingConfirmed", customer={"phone": None}))

    assert [message.channel for rule in made for message in rule.messages] == ["email"]


@pytest.mark.parametrize("kind", MAILS)
@pytest.mark.parametrize(("locale", "spoken"), [("en", "en"), ("de", "de"), ("de-AT", "de"), ("fr", "en")])
def test_everybody_is_told_in_words_that_they_know(rules: Trial, kind: str, locale: str, spoken: str) -> None:
    made = told.made(rules, told.event(kind, customer={"locale": locale}))
    messages = [message for rule in made for message in rule.messages]
    words = parts(rules, kind, customer={"locale": locale})

    assert {message.locale for message in messages} == {spoken}
    assert f'<html lang="{spoken}">' in words["email.html"]
    for text in words.values():
        assert text.strip()
        assert "{{" not in text
        assert "None" not in text


@pytest.mark.parametrize(
    ("locale", "amounts"), [("en", ("€98.10", "€227.10")), ("de", ("98,10\u00a0€", "227,10\u00a0€"))]
)
def test_money_is_written_to_the_cent_as_it_is_where_it_is_read(
    rules: Trial, locale: str, amounts: tuple[str, str]
) -> None:
    line, total = amounts
    words = parts(rules, "OrderPlaced", customer={"locale": locale})

    assert line in words["email.html"]
    assert total in words["email.html"]
    assert total in words["email.text.txt"]


def test_what_a_customer_is_called_stays_text(rules: Trial) -> None:
    words = parts(rules, "InventoryInsufficient")

    assert "Ada &lt;Lovelace&gt;" in words["email.html"]
    assert "Ada <Lovelace>" in words["email.text.txt"]
    assert words["email.subject.txt"].strip() == "Sold out: Lamp & shade"


@pytest.mark.parametrize(
    ("refund_cents", "says"),
    [
        (22710, "We have sent €227.10 back"),
        (0, "Should your card have been charged all the same, the money comes back"),
    ],
)
def test_who_is_refunded_is_told_how_much(rules: Trial, refund_cents: int, says: str) -> None:
    words = parts(rules, "OrderCancelled", refund_cents=refund_cents)

    assert says in words["email.text.txt"]
    assert ("€227.10 come back" in words["email.subject.txt"]) == bool(refund_cents)
