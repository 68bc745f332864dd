"""What a text comes to: its price by the settings, and what is too expensive."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.sms.settings import SmsSettings
from channels.sms.terms import Terms

GERMAN, AMERICAN, AUSTRIAN = "+4915112345678", "+12025550143", "+436641234567"
PRICES = {"DE": 0.07, "US": 0.0079, "*": 0.2}


def terms(**settings: Any) -> Terms:
    return Terms.of(SmsSettings(**settings))


@pytest.mark.parametrize(
    ("number", "text", "price"),
    [
        (GERMAN, "a", "0.07"),
        (GERMAN, "a" * 161, "0.14"),
        (AMERICAN, "a" * 459, "0.0237"),
        (AMERICAN, "ŝ" * 71, "0.0158"),
        (AUSTRIAN, "a", "0.2"),
    ],
)
def test_a_text_costs_its_segments(number: str, text: str, price: str) -> None:
    quote = terms(prices=PRICES, currency="USD").quote(number, text)

    assert quote.price == Decimal(price)
    assert quote.cost == {"segments": quote.segments, "price": float(price), "currency": "USD"}
    assert quote.refusal is None


def test_where_there_is_no_price_none_is_told() -> None:
    for each in (terms(), terms(prices={"DE": 0.07})):
        assert each.quote(AMERICAN, "a").cost == {"segments": 1}
        assert each.quote(AMERICAN, "a").refusal is None


@pytest.mark.parametrize(
    ("number", "text", "reason"),
    [
        (GERMAN, "a" * 153 * 2, None),
        (GERMAN, "a" * (153 * 2 + 1), "too_expensive"),
        (AMERICAN, "a", "price_unknown"),
        (GERMAN, "a" * 613, "too_many_segments"),
        (GERMAN, "", "no_content"),
    ],
)
def test_more_than_the_highest_price_is_not_spent(number: str, text: str, reason: str | None) -> None:
    refusal = terms(prices={"DE": 0.07}, max_price=0.14).quote(number, text).refusal

    assert (refusal.reason if refusal else None) == reason
    if refusal is not None:
        assert refusal.scope == "message"
        assert number not in refusal.message


@given(price=st.decimals(0, 1000, places=4), segments=st.integers(1, 4))
def test_a_price_is_exact(price: Decimal, segments: int) -> None:
    quote = terms(prices={"*": float(price)}, max_price=float(price * segments) or 0.1).quote(
        GERMAN, "a" * (153 * segments if segments > 1 else 1)
    )

    assert quote.price == price * segments
    assert quote.refusal is None
