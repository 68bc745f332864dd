"""Return paths and their tokens: short, signed, without an address, and good for one address only."""

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.email.mail import Mail
from channels.email.reference import Reference, References
from channels.email.return_path import ReturnPaths
from tests.unit.email.coming_back import ADDRESS, DOMAIN, NOTIFICATION, NOW, PATHS, REFERENCE, return_path, token
from tocsin import ids

references = st.builds(
    lambda random, address, life, provider: Reference(
        delivery_id=ids.delivery_id(ids.notification_id(NOW, lambda _: random), "email", address),
        notification_id=ids.notification_id(NOW, lambda _: random),
        tenant="default",
        life=life,
        provider=provider,
    ),
    st.binary(min_size=10, max_size=10),
    st.text(max_size=40),
    st.integers(0, 255),
    st.sampled_from(["smtp", "ses"]),
)


def mail(**changes: object) -> Mail:
    made = Mail(
        sender="static@shop.example",
        recipient=ADDRESS,
        data=b"x\r\n",
        size=3,
        needs_smtputf8=False,
        delivery_id=REFERENCE.delivery_id,
        notification_id=NOTIFICATION,
        tenant="default",
    )
    return msgspec.structs.replace(made, **changes)


@settings(deadline=None)
@given(references)
def test_a_reference_survives_its_way_in_either_case(reference: Reference) -> None:
    address = return_path(reference)

    assert PATHS.read(address) == reference
    assert PATHS.read(address.upper()) == reference
    assert PATHS.read(f'"Bounces" <{address}>') == reference


@settings(deadline=None)
@given(references)
def test_what_is_before_the_at_sign_fits(reference: Reference) -> None:
    local = return_path(reference).partition("@")[0]

    assert len(local) == 63
    assert local.isascii()


def test_there_is_no_address_in_it() -> None:
    assert "ada" not in token()


@settings(deadline=None)
@given(st.integers(0, 55), st.sampled_from("0123456789abcdefghijklmnopqrstuvwxyz"))
def test_one_changed_character_and_it_is_none_of_ours(place: int, character: str) -> None:
    right = token()
    changed = right[:place] + character + right[place + 1 :]

    assert (PATHS.references.read(changed) is None) == (changed != right)


@settings(deadline=None)
@given(st.text(alphabet="0123456789abcdefghjkmnpqrstvwxyz234567", min_size=56, max_size=56))
def test_a_made_up_token_is_none_of_ours(made_up: str) -> None:
    assert PATHS.references.read(made_up) is None


@settings(deadline=None)
@given(st.text())
def test_any_other_text_has_no_reference(text: str) -> None:
    assert PATHS.read(text) is None
    assert PATHS.references.read(text) is None


@pytest.mark.parametrize(
    "address",
    [
        return_path(paths=ReturnPaths(References("another secret"), domain=DOMAIN)),
        return_path().replace(DOMAIN, "elsewhere.example"),
        return_path() + ".evil.example",
        "x" + return_path(),
        "not-" + return_path(),
        return_path().replace("bounce+", ""),
    ],
)
def test_what_only_looks_like_ours_is_not(address: str) -> None:
    assert PATHS.read(address) is None


def test_a_reference_is_of_the_one_address_that_the_delivery_was_to() -> None:
    assert REFERENCE.is_of(ADDRESS)
    assert not REFERENCE.is_of("bert@example.com")


@pytest.mark.parametrize(
    "changes",
    [
        {"life": 256},
        {"provider": "resend"},
        {"tenant": "other"},
        {"delivery_id": "dlv_1"},
        {"notification_id": "ntf_" + "0" * 26},
    ],
)
def test_what_a_token_cannot_hold_has_none(changes: dict[str, object]) -> None:
    reference = replace(REFERENCE, **changes)  # type: ignore[arg-type]

    assert PATHS.of(reference) is None
    assert PATHS.signed(mail(), f"{REFERENCE.delivery_id}:256", provider="smtp") == mail()


def test_tenants_are_told_apart_by_their_signature() -> None:
    both = References("a secret of the shop", tenants=("default", "other"))
    other = replace(REFERENCE, tenant="other")
    written = both.write(other)

    assert written is not None
    assert both.read(written) == other
    assert PATHS.references.read(written) is None


def test_a_mail_gets_the_return_path_of_its_life() -> None:
    before = mail(sender="bounces-ä@shop.example", needs_smtputf8=True)
    signed = PATHS.signed(before, f"{REFERENCE.delivery_id}:1", provider="smtp")
    again = PATHS.signed(before, f"{REFERENCE.delivery_id}:2", provider="ses")

    assert signed.sender == return_path()
    assert signed.envelope_id == token()
    assert signed.needs_smtputf8 is False
    assert PATHS.read(again.sender) == replace(REFERENCE, life=2, provider="ses")


def test_a_header_outside_ascii_needs_smtputf8_whatever_the_return_path_is() -> None:
    before = mail(data="From: jörg@shop.example\r\n\r\nx\r\n".encode(), needs_smtputf8=True)

    assert PATHS.signed(before, f"{REFERENCE.delivery_id}:1", provider="smtp").needs_smtputf8


def test_tokens_of_a_secret_that_was_in_use_before_are_read() -> None:
    fresh = References("another secret", retired=["a secret of the shop"])
    written = fresh.write(REFERENCE)

    assert fresh.read(token()) == REFERENCE
    assert written is not None
    assert written != token()
    assert PATHS.references.read(written) is None
