"""Links to unsubscribe: sealed, the same for the same delivery, and worth nothing once a character is changed."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.email.unsubscribe import Links, Subscriber
from tocsin.delivery import Delivery, Lane, Person

NOW = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)
SECRET, BEFORE = "a" * 32, "b" * 32
PUBLIC = "https://notify.example.com/tocsin"
ADA = Subscriber(
    tenant="default", address="ada@example.com", category="newsletter", notification_id="ntf_06d1r3n8xg0123456789abcdef"
)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=64)


def links(*secrets: str, public_url: str = PUBLIC) -> Links:
    return Links(secrets or (SECRET,), public_url=public_url, categories=["newsletter", "offers"])


def delivery(**changes: str) -> Delivery:
    bare = Delivery(
        id="dlv_1",
        notification_id=ADA.notification_id,
        tenant=ADA.tenant,
        channel="email",
        address=ADA.address,
        recipient=Person(),
        lane=Lane.BULK,
        category=ADA.category,
        semantics="at_least_once",
        accepted_at=NOW,
        expires_at=NOW + timedelta(days=1),
    )
    return msgspec.structs.replace(bare, **changes)


def token(url: str | None) -> str:
    assert url is not None
    start, _, found = url.rpartition("/")
    assert start == f"{PUBLIC}/v1/unsubscribe"
    return found


def test_a_link_says_who_unsubscribes_from_what() -> None:
    assert links().read(token(links().of(delivery()))) == ADA


def test_only_mails_of_the_categories_have_one() -> None:
    assert links().of(delivery(category="orders")) is None
    assert links().of(delivery(category="Newsletter")) is None
    assert links().of(delivery(category="offers")) is not None


def test_the_same_delivery_has_the_same_link_and_another_has_another() -> None:
    found = {links().of(delivery(**change)) for change in ({}, {"address": "eve@example.com"}, {"tenant": "b"})}

    assert len(found) == 3
    assert links().of(delivery()) in found


def test_a_slash_at_the_end_of_the_public_url_makes_no_other_link() -> None:
    assert links(public_url=PUBLIC + "/").of(delivery()) == links().of(delivery())


def test_a_link_shows_nothing_of_whose_it_is() -> None:
    url = links().of(delivery())

    assert url is not None
    assert not any(word in url for word in ("ada", "example.com/v1/unsubscribe/ada", "newsletter", "default", "ntf_"))
    assert ADA.address not in repr(ADA)


@given(address=TEXT, category=TEXT, tenant=TEXT)
def test_any_subscriber_is_read_back(address: str, category: str, tenant: str) -> None:
    given = Subscriber(tenant=tenant, address=address, category=category, notification_id="ntf_1")

    assert links().read(links().token(given)) == given


@given(where=st.integers(min_value=0), character=st.sampled_from(ALPHABET))
def test_a_token_with_one_other_character_is_none(where: int, character: str) -> None:
    whole = links().token(ADA)
    where %= len(whole)
    forged = whole[:where] + character + whole[where + 1 :]

    assert (links().read(forged) == ADA) is (forged == whole)
    assert forged == whole or links().read(forged) is None


@given(st.text(max_size=200) | st.text(ALPHABET, min_size=20, max_size=400).map("1".__add__))
def test_what_nobody_sealed_is_none(text: str) -> None:
    assert links().read(text) is None


@given(cut=st.integers(min_value=1, max_value=150), more=st.text(ALPHABET + "=", max_size=4))
def test_a_token_that_was_cut_or_lengthened_is_none(cut: int, more: str) -> None:
    whole = links().token(ADA)
    changed = whole[:-cut] + more

    assert changed == whole or links().read(changed) is None


def test_another_secret_reads_nothing_and_a_retired_one_still_does() -> None:
    old = links(BEFORE).token(ADA)

    assert links(SECRET).read(old) is None
    assert links(SECRET, BEFORE).read(old) == ADA
    assert links(SECRET, BEFORE).token(ADA) == links(SECRET).token(ADA) != old


@pytest.mark.parametrize("version", ["0", "2", "v"])
def test_another_version_is_none(version: str) -> None:
    assert links().read(version + links().token(ADA)[1:]) is None
