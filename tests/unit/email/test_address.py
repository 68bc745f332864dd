"""Addresses: what is one, what is none, and that nothing which could end a command or a header gets through."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.email.address import Mailbox, parse, parse_mailbox
from tocsin.validation import Fault


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ada@example.com", "ada@example.com"),
        ("Ada.Love+tag@Example.COM", "Ada.Love+tag@example.com"),
        ("o'hara@example.co.uk", "o'hara@example.co.uk"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("ada@straße.example", "ada@xn--strae-oqa.example"),
        ("ada@XN--BCHER-KVA.example", "ada@xn--bcher-kva.example"),
        ("ä@example.com", "ä@example.com"),
        ("a\u0308@example.com", "ä@example.com"),
        ("a" * 64 + "@example.com", "a" * 64 + "@example.com"),
    ],
)
def test_an_address_in_its_normal_form(text: str, expected: str) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "there is no @"),
        ("ada", "there is no @"),
        ("@example.com", "nothing is before the @"),
        ("ada@", "no domain name"),
        ("ada@localhost", "no domain name"),
        ("ada@127.0.0.1", "no domain name"),
        ("ada@[127.0.0.1]", "no domain name"),
        ("ada@-example.com", "no domain name"),
        ("ada@example..com", "no domain name"),
        ("ada@example.com.", "no domain name"),
        ("ada@exa_mple.com", "no domain name"),
        ("ada@xn--a.example", "no domain name"),
        ("ada@" + "a" * 64 + ".com", "no domain name"),
        ("ada@example.com\n", "no domain name"),
        ("ada@example.com bob@example.com", "@ is not allowed"),
        ("ada@example.com,bob@example.com", "@ is not allowed"),
        ("a,b@example.com", ", is not allowed"),
        ("alice@example.org)bob@evil.test", "@ is not allowed"),
        ("Ada <ada@example.com>", "a space"),
        ("<ada@example.com>", "< is not allowed"),
        ('"ada"@example.com', '" is not allowed'),
        ("ada\r\n@example.com", "a space or a control character"),
        ("a\x00b@example.com", "a space or a control character"),
        ("\ud800@example.com", "a space or a control character"),
        ("\u202eada@example.com", "a space or a control character"),
        (".ada@example.com", "dots"),
        ("a..b@example.com", "dots"),
        ("a" * 65 + "@example.com", "longer than 64 octets"),
        ("ä" * 33 + "@example.com", "longer than 64 octets"),
        ("ada@" + "abcdefghi." * 25 + "com", "longer than"),
    ],
)
def test_what_is_no_address_is_told_why(text: str, words: str) -> None:
    found = parse(text)

    assert isinstance(found, Fault)
    assert found.detail.startswith("must be an email address like ada@example.com: ")
    assert words in found.detail


def test_a_local_part_outside_ascii_needs_a_flag() -> None:
    assert parse("ä@example.com", international=False) == Fault(
        pointer="", detail="must be an email address like ada@example.com: only ASCII is allowed before the @"
    )


@given(st.text(max_size=80), st.text(max_size=80))
def test_what_gets_through_is_harmless_and_stays_as_it_is(local: str, domain: str) -> None:
    found = parse(f"{local}@{domain}")

    if isinstance(found, str):
        assert not re.search(r'[\x00-\x20\x7f<>(),;:\\"\[\]]', found)
        assert found.count("@") == 1
        assert found.partition("@")[2].isascii()
        assert parse(found) == found


@given(st.from_regex(r"[a-z0-9+]{1,20}@([a-z]{1,10}\.){1,3}[a-z]{2,5}", fullmatch=True))
def test_common_addresses_are_taken_as_they_are(text: str) -> None:
    assert parse(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Tocsin <no-reply@example.com>", Mailbox(name="Tocsin", address="no-reply@example.com")),
        ('"Shop, Inc." <shop@example.com>', Mailbox(name="Shop, Inc.", address="shop@example.com")),
        ("shop@example.com", Mailbox(name="", address="shop@example.com")),
    ],
)
def test_a_mailbox_has_a_name_and_an_address(text: str, expected: Mailbox) -> None:
    assert parse_mailbox(text) == expected


def test_a_mailbox_without_an_address_is_a_fault() -> None:
    assert isinstance(parse_mailbox("Tocsin <nobody>"), Fault)
    assert isinstance(parse_mailbox("Tocsin"), Fault)
