"""Ids: their order, what derives from them, and what they tell of themselves."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin import ids

moments = st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(9999, 12, 31), timezones=st.just(UTC)).map(  # noqa: DTZ001 - hypothesis wants its bounds naive
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
)
tails = st.binary(min_size=10, max_size=10)


def made(moment: datetime, tail: bytes = b"0123456789") -> str:
    return ids.notification_id(moment, lambda count: tail[:count])


@given(moments, tails)
def test_an_id_is_its_prefix_and_26_characters(moment: datetime, tail: bytes) -> None:
    identifier = made(moment, tail)

    assert identifier.startswith("ntf_")
    assert len(identifier) == 30
    assert identifier[4:].isalnum()
    assert identifier == identifier.lower()


@given(moments, moments, tails, tails)
def test_ids_sort_by_time_whatever_their_tail(one: datetime, two: datetime, tail: bytes, other: bytes) -> None:
    if one == two:
        return
    earlier, later = sorted((one, two))

    assert made(earlier, tail) < made(later, other)


@given(moments, tails, tails)
def test_ids_of_one_moment_differ_by_their_tail(moment: datetime, tail: bytes, other: bytes) -> None:
    assert (made(moment, tail) == made(moment, other)) == (tail == other)


@given(moments, tails)
def test_an_id_tells_when_it_was_made(moment: datetime, tail: bytes) -> None:
    assert ids.made_at(made(moment, tail)) == moment


@given(moments, tails)
def test_what_derives_from_an_id_has_its_time(moment: datetime, tail: bytes) -> None:
    derived = ids.delivery_id(made(moment, tail), "email", "ann@example.org")

    assert derived.startswith("dlv_")
    assert len(derived) == 30
    assert ids.made_at(derived) == moment
    assert derived[4:14] == made(moment, tail)[4:14]


def test_derivation_is_the_same_in_every_version() -> None:
    parent = made(datetime(2030, 1, 1, tzinfo=UTC))

    assert parent == "ntf_01q3dcbd0060rk4csm6mv3ee1s"
    assert ids.delivery_id(parent, "email", "ann@example.org") == "dlv_01q3dcbd002h3qqy6e3qf52g06"


@given(st.tuples(st.text(max_size=5), st.text(max_size=5)), st.tuples(st.text(max_size=5), st.text(max_size=5)))
def test_different_parts_derive_different_ids(one: tuple[str, str], two: tuple[str, str]) -> None:
    if any("\x1f" in part for part in (*one, *two)):
        return
    parent = made(datetime(2030, 1, 1, tzinfo=UTC))

    assert (ids.derived("dlv_", parent, *one) == ids.derived("dlv_", parent, *two)) == (one == two)


def test_different_parents_of_one_moment_have_different_children() -> None:
    moment = datetime(2030, 1, 1, tzinfo=UTC)
    one, two = made(moment, b"a" * 10), made(moment, b"b" * 10)

    assert ids.delivery_id(one, "email", "x") != ids.delivery_id(two, "email", "x")


@pytest.mark.parametrize(
    "junk",
    [
        "",
        "_",
        "ntf_",
        "ntf_0",
        "ntf_" + "0" * 25,
        "ntf_" + "0" * 27,
        "ntf_" + "0" * 25 + "u",
        "ntf_" + "0" * 25 + "U",
        "ntf_" + "A" * 26,
        "ntf_" + "0" * 25 + "\u0663",
        "ntf" + "0" * 26,
        "ntf_" + "z" * 26,
        "ntf_" + "0" * 25 + "\n",
        "ntf__" + "0" * 26,
    ],
)
def test_junk_is_not_an_id(junk: str) -> None:
    assert ids.made_at(junk) is None


@given(st.text())
def test_no_text_makes_made_at_raise(text: str) -> None:
    ids.made_at(text)
    ids.made_at("ntf_" + text)


@given(moments, tails)
def test_lowest_separates_what_was_made_before_from_the_rest(moment: datetime, tail: bytes) -> None:
    if moment == datetime(1970, 1, 1, tzinfo=UTC):
        return
    bound = ids.lowest("ntf_", moment)

    assert made(moment - timedelta(milliseconds=1), tail) < bound <= made(moment, tail)


@given(st.text(max_size=8), st.text(max_size=8))
def test_a_recipient_key_is_stable_and_shows_no_address(tenant: str, recipient: str) -> None:
    key = ids.recipient_key(tenant, recipient + "@example.org")

    assert key == ids.recipient_key(tenant, recipient + "@example.org")
    assert len(key) == 24
    assert b"@" not in key


def test_one_recipient_of_two_tenants_has_two_keys() -> None:
    assert ids.recipient_key("a", "x") != ids.recipient_key("b", "x")
    assert ids.recipient_key("ab", "c") != ids.recipient_key("a", "bc")


def test_a_hashed_id_depends_on_every_part() -> None:
    found = {ids.hashed("evt_", *parts) for parts in (("a",), ("a", ""), ("a", "b"), ("ab",), ("b", "a"))}

    assert len(found) == 5
    assert all(len(identifier) == 30 for identifier in found)
