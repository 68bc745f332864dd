"""How long a dead server is left alone."""

from tocsin.net.backoff import Backoff, BackoffPolicy
from tocsin.outcome import Deferred, Outcome

POLICY = BackoffPolicy(first=0.5, longest=4.0)
DOWN = Deferred(cause="connect_failed")


def test_the_wait_doubles_up_to_the_longest() -> None:
    assert [POLICY.wait(failures) for failures in (1, 2, 3, 4, 5, 5000)] == [0.5, 1.0, 2.0, 4.0, 4.0, 4.0]


def test_a_failure_is_remembered_until_its_wait_is_over() -> None:
    now = [100.0]
    backoff = Backoff[Outcome](POLICY, lambda: now[0])
    assert backoff.remembered() is None

    backoff.failed(DOWN)

    assert backoff.remembered() is DOWN
    now[0] = 100.5
    assert backoff.remembered() is None


def test_failures_at_the_same_time_count_once() -> None:
    now = [100.0]
    backoff = Backoff[Outcome](POLICY, lambda: now[0])

    for _ in range(16):
        backoff.failed(DOWN)

    now[0] = 100.5
    assert backoff.remembered() is None


def test_a_success_forgets() -> None:
    now = [100.0]
    backoff = Backoff[Outcome](POLICY, lambda: now[0])
    backoff.failed(DOWN)
    backoff.succeeded()
    assert backoff.remembered() is None

    backoff.failed(DOWN)

    now[0] = 100.5
    assert backoff.remembered() is None
