"""What receipts say of a provider: the part that fails takes from its share, and is forgotten with time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.arrivals import Arrivals

receipts = st.lists(st.tuples(st.booleans(), st.floats(0, 1000)), max_size=300)


def after(arrived: int, failed: int) -> Arrivals:
    arrivals = Arrivals()
    for each in [True] * arrived + [False] * failed:
        arrivals.told(arrived=each, now=0.0)
    return arrivals


@given(receipts)
def test_it_is_above_nothing_and_at_most_one_and_heals_by_itself(told: list[tuple[bool, float]]) -> None:
    arrivals, now = Arrivals(), 0.0
    for arrived, pause in told:
        now += pause
        arrivals.told(arrived=arrived, now=now)
    qualities = [arrivals.quality(now + later) for later in (0.0, 1.0, 60.0, 600.0, 6000.0, 1e9)]

    assert all(0 < each <= 1 for each in qualities)
    assert qualities == sorted(qualities)
    assert qualities[-1] == 1.0


def test_what_arrives_says_nothing_against_it() -> None:
    assert after(1000, 0).quality(0.0) == 1.0
    assert Arrivals().quality(1e9) == 1.0


@pytest.mark.parametrize(
    ("arrived", "failed", "low", "high"),
    [(0, 1, 0.85, 0.9), (980, 20, 0.9, 1.0), (900, 100, 0.7, 0.8), (500, 500, 0.1, 0.2), (0, 1000, 0.0, 0.001)],
)
def test_the_part_that_fails_is_what_counts(arrived: int, failed: int, low: float, high: float) -> None:
    assert low < after(arrived, failed).quality(0.0) < high


def test_it_is_nearly_well_after_half_an_hour() -> None:
    arrivals = after(0, 100)

    assert arrivals.quality(300.0) < 0.1
    assert arrivals.quality(1800.0) > 0.95
