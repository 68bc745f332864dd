"""Any delay on five topics: never early, nowhere longer than the tier allows, in a bounded number of hops."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tocsin import tiers

NOW = datetime(2030, 1, 1, tzinfo=UTC)
DAY = timedelta(hours=24)
delays = st.timedeltas(timedelta(), DAY) | st.integers(0, 86_400).map(lambda seconds: timedelta(seconds=seconds))
lags = st.timedeltas(timedelta(), timedelta(milliseconds=900))


def walk(delay: timedelta, lag: timedelta) -> tuple[datetime, list[tuple[tiers.Tier, timedelta]]]:
    """Park a record until it is let through; `lag` passes between the decision and the log's timestamp."""
    not_before = NOW + delay
    now, stays = NOW, []
    while now < not_before:
        tier = tiers.fitting(not_before - now)
        parked_at = now + lag
        left = max(parked_at, tiers.release_at(tier, parked_at=parked_at, not_before=not_before))
        stays.append((tier, left - parked_at))
        now = left
        if len(stays) > 100:
            break
    return now, stays


@given(delays, lags)
@example(timedelta(seconds=5), timedelta())
@example(timedelta(microseconds=1), timedelta())
@example(timedelta(seconds=29, milliseconds=999), timedelta())
@example(DAY, timedelta(milliseconds=900))
def test_any_delay_ends_when_it_is_due_and_never_before(delay: timedelta, lag: timedelta) -> None:
    ended, stays = walk(delay, lag)

    assert NOW + delay <= ended <= NOW + delay + lag
    assert all(stay <= tier.delay * 1.05 + timedelta(seconds=1) for tier, stay in stays)
    # Each tier fits at most five times into the next (30 s / 5 s, less the slack), the last one 24 times into a day.
    assert len(stays) <= 24 + 4 * 6


@given(delays)
def test_without_lag_a_delay_ends_exactly_when_it_is_due(delay: timedelta) -> None:
    assert walk(delay, timedelta())[0] == NOW + delay


@pytest.mark.parametrize("tier", tiers.TIERS)
@pytest.mark.parametrize("jitter", [0, 0.025, 0.05])
def test_a_tiers_own_delay_with_jitter_is_one_stay(tier: tiers.Tier, jitter: float) -> None:
    _, stays = walk(tier.delay * (1 + jitter), timedelta())

    assert [name for name, _ in stays] == [tier]


@pytest.mark.parametrize(
    ("wait", "name"),
    [
        (0, "5s"),
        (4.9, "5s"),
        (5, "5s"),
        (29.9, "5s"),
        (30, "30s"),
        (119, "30s"),
        (120, "2m"),
        (599, "2m"),
        (600, "10m"),
        (3599, "10m"),
        (3600, "1h"),
        (86400, "1h"),
    ],
)
def test_the_largest_tier_that_fits_is_taken(wait: float, name: str) -> None:
    assert tiers.fitting(timedelta(seconds=wait)).name == name


def test_a_wait_that_is_over_takes_the_shortest_tier_and_leaves_at_once() -> None:
    past = NOW - timedelta(hours=1)

    assert tiers.fitting(timedelta(seconds=-3600)).name == "5s"
    assert tiers.release_at(tiers.TIERS[0], parked_at=NOW, not_before=past) <= NOW


def test_attempts_follow_the_tiers_and_stay_at_the_last() -> None:
    assert [tiers.of_attempt(attempt).name for attempt in range(1, 9)] == ["5s", "30s", "2m", "10m", *["1h"] * 4]
