"""The decision after an attempt, by the design's table."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tocsin import hops, outcome, retry, tiers
from tocsin.deadletter import Reason
from tocsin.delivery import Semantics
from tocsin.outcome import Outcome
from tocsin.retry import Again, Dead, Decision, Done, Expired, NoAttempt, RetryPolicy

NOW = datetime(2030, 1, 1, tzinfo=UTC)
FIRST = hops.first(now=NOW, expires_at=NOW + timedelta(days=30))
DEFERRED = outcome.Deferred(cause="busy")


def decide(
    result: Outcome,
    *,
    hop: hops.Hop = FIRST,
    made: int = 0,
    semantics: Semantics = "at_least_once",
    random: float = 0.0,
    policy: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen
) -> Decision:
    hop = replace(hop, attempt=hop.attempt + made)
    return retry.decide(result, hop=hop, semantics=semantics, now=NOW, policy=policy, random=random)


def again(**after: float) -> Again:
    return Again(not_before=NOW + timedelta(**after))


@pytest.mark.parametrize(
    ("attempt", "follows"),
    [
        (1, again(seconds=5)),
        (2, again(seconds=30)),
        (3, again(minutes=2)),
        (4, again(minutes=10)),
        (5, again(hours=1)),
        (6, again(hours=1)),
        (7, again(hours=1)),
        (8, Dead(reason=Reason.EXHAUSTED)),
        (9, Dead(reason=Reason.EXHAUSTED)),
    ],
)
@pytest.mark.parametrize("result", [DEFERRED, outcome.Throttled(scope="account")])
def test_a_failed_attempt_is_followed_by_its_tier(attempt: int, follows: Decision, result: Outcome) -> None:
    assert decide(result, made=attempt - 1) == follows


def test_the_number_of_attempts_is_the_policys() -> None:
    policy = RetryPolicy(max_attempts=2)

    assert decide(DEFERRED, made=0, policy=policy) == again(seconds=5)
    assert decide(DEFERRED, made=1, policy=policy) == Dead(reason=Reason.EXHAUSTED)
    assert decide(DEFERRED, policy=RetryPolicy(max_attempts=1)) == Dead(reason=Reason.EXHAUSTED)


def test_what_was_delivered_is_done_even_past_its_expiry() -> None:
    assert decide(outcome.Delivered(), hop=replace(FIRST, expires_at=NOW - timedelta(days=1))) == Done()


@pytest.mark.parametrize("scope", ["address", "message", "route"])
def test_what_was_rejected_is_dead_at_the_first_attempt(scope: str) -> None:
    rejected = outcome.Rejected(reason="no", scope=scope)  # type: ignore[arg-type]

    assert decide(rejected) == Dead(reason=Reason.REJECTED)


@pytest.mark.parametrize(
    ("seconds", "follows"),
    [(0, again(seconds=5)), (3, again(seconds=5)), (300, again(seconds=300)), (86_400, again(hours=24))],
)
def test_a_retry_after_can_only_lengthen_the_wait(seconds: int, follows: Decision) -> None:
    for result in (
        outcome.Deferred(cause="busy", retry_after=timedelta(seconds=seconds)),
        outcome.Throttled(scope="account", retry_after=timedelta(seconds=seconds)),
    ):
        assert decide(result) == follows


@pytest.mark.parametrize("wait", [timedelta(hours=24, microseconds=1), timedelta(days=7), timedelta.max])
def test_a_retry_after_of_more_than_a_day_is_dead(wait: timedelta) -> None:
    assert decide(outcome.Deferred(cause="busy", retry_after=wait)) == Dead(reason=Reason.RETRY_AFTER_TOO_LONG)


def test_a_retry_after_of_more_than_a_day_is_dead_though_it_would_expire_first() -> None:
    hop = replace(FIRST, expires_at=NOW + timedelta(seconds=1))
    result = outcome.Deferred(cause="busy", retry_after=timedelta(days=7))

    assert decide(result, hop=hop) == Dead(reason=Reason.RETRY_AFTER_TOO_LONG)


@pytest.mark.parametrize(("left", "follows"), [(4, Expired()), (5, Expired()), (5.001, again(seconds=5))])
def test_a_retry_that_would_come_at_the_expiry_or_later_is_none(left: float, follows: Decision) -> None:
    assert decide(DEFERRED, hop=replace(FIRST, expires_at=NOW + timedelta(seconds=left))) == follows


def test_expiry_wins_over_a_retry_after() -> None:
    result = outcome.Throttled(scope="account", retry_after=timedelta(hours=2))

    assert decide(result, hop=replace(FIRST, expires_at=NOW + timedelta(hours=1))) == Expired()


def test_an_unconfirmed_attempt_is_repeated_once() -> None:
    result = outcome.Unconfirmed(phase="data")

    assert decide(result) == again(seconds=5)
    assert decide(result, hop=replace(FIRST, unconfirmed=1), made=1) == Dead(reason=Reason.OUTCOME_UNKNOWN)


def test_an_unconfirmed_attempt_is_never_repeated_at_most_once() -> None:
    result = outcome.Unconfirmed(phase="data")

    assert decide(result, semantics="at_most_once") == Dead(reason=Reason.OUTCOME_UNKNOWN)


def test_at_most_once_repeats_what_was_surely_not_taken() -> None:
    assert decide(DEFERRED, semantics="at_most_once") == again(seconds=5)


def test_an_unconfirmed_last_attempt_is_exhausted_or_unknown_but_dead() -> None:
    assert isinstance(decide(outcome.Unconfirmed(phase="data"), made=7), Dead)


def test_a_misconfigured_route_costs_no_attempt_however_many_were_made() -> None:
    for made in (0, 7, 100):
        assert decide(outcome.Misconfigured(detail="key"), made=made) == NoAttempt(
            not_before=NOW + timedelta(seconds=45)
        )


def test_a_delivery_for_whose_sake_a_route_is_called_misconfigured_is_seen_ever_less_often() -> None:
    found = [decide(outcome.Misconfigured(detail="key"), hop=replace(FIRST, hops=hops)) for hops in (0, 1, 2, 3, 99)]

    assert found == [NoAttempt(not_before=NOW + timedelta(seconds=45 * times)) for times in (1, 2, 4, 8, 8)]


def test_a_misconfigured_route_does_not_outlast_the_expiry() -> None:
    hop = replace(FIRST, expires_at=NOW + timedelta(seconds=30))

    assert decide(outcome.Misconfigured(detail="key"), hop=hop) == Expired()


@given(st.integers(0, 6), st.floats(0, 1, exclude_max=True))
def test_jitter_only_adds_and_at_most_a_twentieth(made: int, random: float) -> None:
    found = decide(DEFERRED, made=made, random=random)
    delay = tiers.of_attempt(made + 1).delay

    assert isinstance(found, Again)
    assert NOW + delay <= found.not_before <= NOW + delay * 1.05


def test_jitter_spreads() -> None:
    found = {decide(DEFERRED, random=random / 10) for random in range(10)}

    assert len(found) == 10


def test_jitter_is_not_added_to_a_longer_retry_after() -> None:
    result = outcome.Deferred(cause="busy", retry_after=timedelta(minutes=5))

    assert decide(result, random=0.99) == again(minutes=5)
