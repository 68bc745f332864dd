"""How many calls a provider bears at once."""

from hypothesis import given
from hypothesis import strategies as st

from channels.concurrency import Concurrency

events = st.lists(st.one_of(st.none(), st.floats(min_value=0.0, max_value=5.0)), max_size=300)


@given(most=st.integers(min_value=0, max_value=500), told=events)
def test_it_stays_between_one_and_the_most_whatever_happens(most: int, told: list[float | None]) -> None:
    """None is a success, a number a congestion so many seconds later."""
    concurrency, now = Concurrency(most), 0.0
    for each in told:
        before = concurrency.limit
        if each is None:
            concurrency.succeeded()
            assert before <= concurrency.limit <= before + 1
        else:
            now += each
            concurrency.congested(now)
            assert concurrency.limit <= before
        assert 1 <= concurrency.limit <= max(1, most)


def test_it_begins_with_the_most() -> None:
    assert Concurrency(32).limit == 32


def test_what_fails_together_counts_once() -> None:
    concurrency = Concurrency(100)
    for _ in range(100):
        concurrency.congested(7.0)

    assert concurrency.limit == 70


def test_it_falls_fast_and_grows_by_about_one_for_a_limits_worth_of_successes() -> None:
    concurrency = Concurrency(100)
    for second in range(3):
        concurrency.congested(float(second))
    low = concurrency.limit
    for _ in range(low + 1):
        concurrency.succeeded()

    assert (low, concurrency.limit) == (34, 35)


def test_it_comes_back_from_one() -> None:
    concurrency = Concurrency(8)
    for second in range(60):
        concurrency.congested(float(second))
    assert concurrency.limit == 1

    for _ in range(40):
        concurrency.succeeded()
    assert concurrency.limit == 8
