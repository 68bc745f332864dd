"""The provider token: signed as Apple wants it, used for 20 to 50 minutes, and changed no oftener than it may be."""

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from channels.push import apns_token
from channels.push.apns_token import ProviderTokens
from simulators.apns import checking
from simulators.apns.credentials import KEY_ID, TEAM_ID
from tests.support.clock import ManualClock
from tests.unit.push.apns_world import NOON, known
from tocsin.errors import SettingsError

MINUTE = timedelta(minutes=1)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
def tokens(clock: ManualClock) -> ProviderTokens:
    return ProviderTokens(apns_token.parse(known().key_pem(), key_id=KEY_ID, team_id=TEAM_ID), clock)


def fault(token: str, clock: ManualClock) -> str | None:
    return checking.provider_token_fault(f"bearer {token}", key=known().key.public_key(), now=clock.now())


def test_it_is_signed_as_apple_wants_it(tokens: ProviderTokens, clock: ManualClock) -> None:
    assert fault(tokens.current(), clock) is None


def test_it_is_used_for_45_minutes(tokens: ProviderTokens, clock: ManualClock) -> None:
    first = tokens.current()
    used_for = 0
    while tokens.current() == first:
        assert fault(first, clock) is None
        clock.advance(MINUTE)
        used_for += 1

    assert used_for == 45
    assert fault(tokens.current(), clock) is None


def test_after_the_clock_was_set_back_it_is_made_anew(tokens: ProviderTokens, clock: ManualClock) -> None:
    early = tokens.current()
    clock._now -= timedelta(hours=3)

    assert tokens.current() != early
    assert fault(tokens.current(), clock) is None


def test_those_who_hear_that_it_expired_get_the_same_new_one(tokens: ProviderTokens) -> None:
    old = tokens.current()

    new = {tokens.expired(old) for _ in range(20)}

    assert new == {tokens.current()}
    assert old not in new


def test_a_new_one_that_expired_at_once_is_not_replaced_for_20_minutes(
    tokens: ProviderTokens, clock: ManualClock
) -> None:
    new = tokens.expired(tokens.current())
    assert new is not None

    clock.advance(19 * MINUTE)
    assert tokens.expired(new) is None
    assert tokens.current() == new
    clock.advance(MINUTE)
    assert tokens.expired(new) not in (None, new)


def test_one_that_came_too_soon_gives_way_to_the_old_one_while_that_is_taken(
    tokens: ProviderTokens, clock: ManualClock
) -> None:
    old = tokens.current()
    clock.advance(45 * MINUTE)
    soon = tokens.current()
    assert soon != old

    tokens.too_many(soon)
    tokens.too_many(soon)
    assert tokens.current() == old
    clock.advance(9 * MINUTE)
    assert tokens.current() == old
    assert fault(old, clock) is None
    clock.advance(MINUTE)
    assert tokens.current() != old


def test_the_only_one_is_kept_whatever_apple_says_of_it(tokens: ProviderTokens) -> None:
    only = tokens.current()
    tokens.too_many(only)

    assert tokens.current() == only


def test_one_that_expired_is_not_gone_back_to(tokens: ProviderTokens) -> None:
    new = tokens.expired(tokens.current())
    assert new is not None
    tokens.too_many(new)

    assert tokens.current() == new


def test_it_is_not_shown(tokens: ProviderTokens) -> None:
    tokens.current()

    assert tokens.current() not in repr(tokens._used)
    assert "PrivateKey" not in repr(tokens._key)


@pytest.mark.parametrize(
    "key", [generate_private_key(SECP384R1()), Ed25519PrivateKey.generate()], ids=["P-384", "Ed25519"]
)
def test_a_key_of_another_kind_is_refused(key: Ed25519PrivateKey) -> None:
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    with pytest.raises(SettingsError, match="P-256"):
        apns_token.parse(text, key_id=KEY_ID, team_id=TEAM_ID)


def test_what_is_no_key_is_refused_without_being_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        apns_token.parse("hunter2", key_id=KEY_ID, team_id=TEAM_ID)

    assert "hunter2" not in str(caught.value)
    assert "apns.key" in str(caught.value)
