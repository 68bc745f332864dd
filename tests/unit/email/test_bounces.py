"""What came back: whose it is, what became of it, and whether its address is to be used again."""

import time
from dataclasses import replace
from typing import Any

import pytest

from channels.email import codes
from channels.email.bounces import Bounces
from channels.email.receipts import Finding
from channels.email.reference import Reference
from tests.unit.email.coming_back import ADDRESS, NOW, PATHS, REFERENCE, complaint, notification, return_path, token
from tocsin import ids
from tocsin.lifecycle import Event

BOUNCES = Bounces(PATHS, codes.load())
OTHER = replace(REFERENCE, life=2)


def found(raw: bytes, arrived_for: Reference | None = REFERENCE) -> Finding:
    return BOUNCES.read(raw, arrived_for=arrived_for, now=NOW)


def data(finding: Finding) -> dict[str, Any]:
    assert finding.event is not None
    return finding.event.data


def test_a_hard_bounce_names_the_address_and_its_delivery() -> None:
    result, event, mapped = found(notification())

    assert (result, mapped) == ("bounced", True)
    assert event is not None
    assert event.type is Event.RECEIPT_FAILED
    assert (event.delivery_id, event.notification_id) == (REFERENCE.delivery_id, REFERENCE.notification_id)
    assert (event.tenant, event.life, event.time) == ("default", 1, NOW)
    assert event.data == {
        "channel": "email",
        "provider": "smtp",
        "provider_id": "",
        "code": "550 5.1.1",
        "message": "5.1.1 <address>: Recipient address rejected",
        "address": ADDRESS,
    }


def test_the_same_told_twice_is_the_same_event() -> None:
    first, second = found(notification()).event, found(notification()).event

    assert first is not None
    assert second is not None
    assert first.id == second.id


@pytest.mark.parametrize(
    ("status", "diagnostic", "code", "suppressed"),
    [
        ("5.1.1", "smtp; 550 5.1.1 No such user", "550 5.1.1", True),
        ("5.1.1", "X-Postfix; unknown user", "5.1.1", True),
        ("5.0.0", "smtp; 550-5.1.1 The email account does not exist", "550 5.1.1", True),
        ("5.0.0", "smtp; 550 what a pity", "550 5.0.0", False),
        ("5.2.1", "smtp; 550 5.2.1 disabled", "550 5.2.1", True),
        ("5.1.10", "X-Postfix; Domain does not accept mail (nullMX)", "5.1.10", True),
        ("5.2.2", "smtp; 552 5.2.2 Mailbox full", "552 5.2.2", False),
        ("4.2.2", "smtp; 452 4.2.2 Mailbox full", "452 4.2.2", False),
        ("4.4.1", "X-Postfix; connect to mx.example.com: Connection timed out", "4.4.1", False),
        ("5.4.7", "smtp; 451 4.7.1 Greylisted", "451 5.4.7", False),
        ("5.7.1", "smtp; 550 5.7.1 Message blocked as spam", "550 5.7.1", False),
        ("", "", "", False),
    ],
)
def test_only_what_the_table_calls_dead_is_suppressed(
    status: str, diagnostic: str, code: str, suppressed: bool
) -> None:
    told = data(found(notification(status=status, diagnostic=diagnostic)))

    assert told["code"] == code
    assert told.get("address") == (ADDRESS if suppressed else None)


@pytest.mark.parametrize(
    ("action", "result", "event"),
    [
        ("failed", "bounced", Event.RECEIPT_FAILED),
        ("Failed (user unknown)", "bounced", Event.RECEIPT_FAILED),
        ("failed to", "ignored", None),
        ("DELAYED", "delayed", Event.RECEIPT_DELAYED),
        ("delivered", "confirmed", Event.RECEIPT_CONFIRMED),
        ("relayed", "ignored", None),
        ("expanded", "ignored", None),
        ("", "ignored", None),
    ],
)
def test_each_action_of_rfc_3464(action: str, result: str, event: Event | None) -> None:
    finding = found(notification(action=action))

    assert finding.result == result
    assert (finding.event.type if finding.event else None) is event


def test_a_policy_is_held_against_the_route() -> None:
    refused = notification(status="5.7.1", diagnostic="smtp; 550 5.7.1 blocked")

    assert data(found(refused))["scope"] == "route"
    assert "scope" not in data(found(notification(action="delayed", status="5.7.1")))
    assert "scope" not in data(found(notification()))


def test_a_delay_suppresses_nobody_whatever_its_code() -> None:
    assert "address" not in data(found(notification(action="delayed", status="5.1.1")))


@pytest.mark.parametrize("told", ["smtp; 571 5.9.9 Whatever", "smtp; 570 What"])
def test_a_code_that_no_table_knows_is_told_to_be_counted(told: str) -> None:
    assert not found(notification(status="", diagnostic=told)).mapped


def test_an_address_that_the_mail_was_not_for_is_not_named() -> None:
    """Whoever has seen a return path, which stands in every header, cannot have somebody else suppressed with it."""
    forged = notification(original="rfc822;bert@example.com", final="rfc822;bert@example.com")

    assert "address" not in data(found(forged))


@pytest.mark.parametrize(
    "changes",
    [
        {"original": "", "final": f"rfc822; <{ADDRESS}>"},
        {"original": f"rfc822;{ADDRESS}", "final": "rfc822;behind.the.alias@elsewhere.example"},
        {"original": "rfc822;ada+40example.com", "final": "x"},
        {"original": "", "final": "rfc822;unknown", "returned": f"To: Ada <{ADDRESS}>\n"},
    ],
)
def test_the_address_is_found_where_it_is_told(changes: dict[str, str]) -> None:
    assert data(found(notification(**changes)))["address"] == ADDRESS


def test_an_address_is_told_as_xtext_or_as_it_is() -> None:
    """Postfix undoes the xtext of ORCPT, so `+2B` may be a plus sign and B, or a plus sign."""
    for address, told in (("ada+2B@example.com", "ada+2B@example.com"), ("ada+b@example.com", "ada+2Bb@example.com")):
        reference = replace(REFERENCE, delivery_id=ids.delivery_id(REFERENCE.notification_id, "email", address))

        assert data(found(notification(original=f"rfc822;{told}"), reference))["address"] == address


def test_of_several_recipients_it_is_the_one_that_we_sent_to() -> None:
    other = (
        b"Final-Recipient: rfc822; bert@example.com\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\nFinal-Recipient: rfc822"
    )
    raw = notification(action="delayed").replace(b"Final-Recipient: rfc822", other, 1)

    assert found(raw).result == "delayed"


@pytest.mark.parametrize(
    "raw",
    [
        notification(to=return_path()),
        notification(to=f"Somebody <{return_path().upper()}>"),
        notification(envelope_id=token()),
        notification(returned=f"Return-Path: <{return_path()}>\nSubject: x\n"),
        b"Delivered-To: " + return_path().encode() + b"\r\n" + notification(),
        complaint(told=f"Original-Mail-From: <{return_path()}>\n"),
        complaint(told=f"Original-Envelope-Id: {token()}\n"),
        complaint(returned=f"Return-Path: <{return_path()}>\nTo: <{ADDRESS}>\n"),
    ],
)
def test_without_the_envelope_a_token_in_it_says_whose_it_is(raw: bytes) -> None:
    finding = found(raw, arrived_for=None)

    assert finding.event is not None
    assert finding.event.delivery_id == REFERENCE.delivery_id
    assert finding.event.data["address"] == ADDRESS


def test_the_envelope_comes_first() -> None:
    finding = found(notification(to=return_path(), envelope_id=token()), arrived_for=OTHER)

    assert finding.event is not None
    assert finding.event.life == 2


@pytest.mark.parametrize(
    "raw",
    [
        notification(),
        notification(returned=f"Message-ID: <{REFERENCE.delivery_id}@shop.example>\n"),
        complaint(),
        b"",
        b"Hello",
    ],
)
def test_without_a_token_it_stays_unmatched(raw: bytes) -> None:
    assert found(raw, arrived_for=None) == Finding("unmatched")


@pytest.mark.parametrize(
    "raw",
    [
        b"Subject: Out of office\r\nAuto-Submitted: auto-replied\r\n\r\nI am away until Monday. 550 5.1.1\r\n",
        b"Hi. This is the qmail-send program at mail.example.com.\r\n\r\n<ada@example.com>:\r\nNo such user\r\n",
    ],
)
def test_what_is_no_report_is_not_guessed_at(raw: bytes) -> None:
    assert found(raw) == Finding("unmatched")


@pytest.mark.parametrize(
    ("kind", "event"),
    [
        ("abuse", Event.RECEIPT_COMPLAINED),
        ("Fraud", Event.RECEIPT_COMPLAINED),
        ("opt-out", Event.RECEIPT_OPTED_OUT),
        ("not-spam", None),
        ("auth-failure", None),
    ],
)
def test_a_complaint_suppresses_the_address_of_its_mail(kind: str, event: Event | None) -> None:
    finding = found(complaint(kind=kind))

    assert (finding.event.type if finding.event else None) is event
    assert finding.result == "ignored" or data(finding)["address"] == ADDRESS


def test_a_complaint_without_the_address_is_told_and_suppresses_nobody() -> None:
    finding = found(complaint(told="Original-Rcpt-To: <redacted@example.com>\n", returned="To: <redacted>\n"))

    assert finding.result == "complained"
    assert "address" not in data(finding)


def test_a_report_may_be_wrapped_and_encoded() -> None:
    inner = notification().replace(
        b"\r\n\r\nReporting-MTA", b"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nReporting-MTA"
    )
    raw = b'Content-Type: multipart/mixed; boundary="out"\r\n\r\n--out\r\n' + inner + b"\r\n--out--\r\n"

    assert data(found(raw.replace(b"Status: 5.1.1", b"Status=3A 5.1.=\r\n1")))["address"] == ADDRESS


@pytest.mark.parametrize(
    "raw",
    [
        b"A: b\r\n" * 300_000,
        b"Content-Type: multipart/mixed; boundary=a\r\n\r\n" + b"--a\r\n" * 300_000,
        b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n" * 20_000,
        b"Content-Type: " + b"; a=b" * 300_000,
        b"Content-Type: " + b" " * 1_000_000,
        b"To: " + return_path().encode()[:-1] * 20_000,
        notification(diagnostic="smtp; 550 " + "<" * 500_000),
        notification(returned="To: " + "a@" * 500_000),
        notification(final="rfc822; " + "a@b.c," * 100_000),
        b"\r\n" * 500_000 + b"\n" * 500_000,
        notification().replace(b"\r\n\r\nFinal", b"\r\n\r\nAction: failed" * 50_000 + b"\r\n\r\nFinal"),
    ],
    ids=lambda raw: raw[:24].decode(),
)
def test_what_is_made_to_take_long_does_not(raw: bytes) -> None:
    began = time.process_time()
    found(raw)

    assert time.process_time() - began < 1
