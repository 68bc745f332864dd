"""Tokens and holds of one account."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.bucket import Bucket

EPSILON = 1e-6
gaps = st.lists(st.floats(min_value=0.0, max_value=3.0), min_size=1, max_size=60)


def uses(bucket: Bucket, steps: list[float]) -> list[float]:
    """Take a token after each of the steps; return when each may be used."""
    now, found = 0.0, []
    for step in steps:
        now += step
        found.append(now + bucket.take(now))
    return found


@given(steps=gaps, rate=st.floats(min_value=0.2, max_value=20.0), burst=st.integers(min_value=1, max_value=10))
def test_no_stretch_of_time_has_more_than_its_rate_and_one_burst(steps: list[float], rate: float, burst: int) -> None:
    found = uses(Bucket(rate, burst=burst), steps)

    for first, start in enumerate(found):
        for last, end in enumerate(found[first:], first):
            assert last - first + 1 <= burst + rate * (end - start) + EPSILON


@given(steps=gaps, rate=st.floats(min_value=0.2, max_value=20.0))
def test_tokens_are_used_in_the_order_in_which_they_were_taken(steps: list[float], rate: float) -> None:
    found = uses(Bucket(rate), steps)

    assert found == sorted(found)


@given(rate=st.floats(min_value=0.2, max_value=20.0), count=st.integers(min_value=1, max_value=200))
def test_the_rate_is_used_up_when_there_is_enough_to_do(rate: float, count: int) -> None:
    found = uses(Bucket(rate, burst=1), [0.0] * count)

    assert found[-1] == pytest.approx((count - 1) / rate)


def test_looking_takes_nothing() -> None:
    bucket = Bucket(1.0)

    assert [bucket.wait(0.0) for _ in range(10)] == [0.0] * 10
    assert bucket.take(0.0) == 0.0
    assert bucket.wait(0.0) == 1.0


def test_without_a_rate_there_is_no_wait() -> None:
    assert uses(Bucket(None), [0.0] * 1000) == [0.0] * 1000


def test_a_rate_is_above_nothing() -> None:
    with pytest.raises(ValueError, match="above 0"):
        Bucket(0.0)


def test_a_hold_only_ever_lengthens_and_passes() -> None:
    bucket = Bucket(None)
    bucket.hold(300.0, 0.0)
    bucket.hold(10.0, 0.0)

    assert (bucket.wait(0.0), bucket.held(299.0), bucket.wait(300.0), bucket.held(300.0)) == (300.0, 1.0, 0.0, 0.0)


def test_a_hold_of_a_domain_holds_no_other() -> None:
    bucket = Bucket(None)
    bucket.hold(60.0, 0.0, "slow.test")

    assert bucket.wait(0.0, "slow.test") == 60.0
    assert (bucket.wait(0.0, "quick.test"), bucket.wait(0.0), bucket.held(0.0)) == (0.0, 0.0, 0.0)


def test_holds_that_passed_are_not_kept() -> None:
    bucket = Bucket(None)
    for number in range(1000):
        bucket.hold(number + 1.0, float(number), f"{number}.test")

    assert len(bucket._holds) <= 65


def test_looking_costs_nothing_however_many_holds_there_are() -> None:
    bucket = Bucket(None)
    for number in range(1000):
        bucket.hold(1000.0, 0.0, f"{number}.test")
    holds = bucket._holds

    assert bucket.wait(0.0, "other.test") == 0.0
    assert bucket._holds is holds


def test_a_token_taken_within_a_hold_is_used_after_it_and_at_the_rate() -> None:
    bucket = Bucket(1.0)
    bucket.hold(1.5, 0.0)

    assert [bucket.take(0.0), bucket.take(0.5)] == [1.5, 2.0]


def test_a_long_hold_has_a_probe_every_five_minutes_and_ends_with_one_that_is_answered() -> None:
    bucket = Bucket(None)
    bucket.hold(86_400.0, 0.0)
    waits = [bucket.barred(0.0), bucket.barred(300.0)]
    bucket.began(300.0)
    bucket.answered(0.0)

    assert waits == [300.0, 0.0]
    assert (bucket.barred(301.0), bucket.held(301.0)) == (299.0, 86_099.0)
    bucket.answered(300.0)
    assert (bucket.barred(302.0), bucket.held(302.0)) == (0.0, 0.0)
