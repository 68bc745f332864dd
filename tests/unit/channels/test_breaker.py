"""When a breaker opens, whom it lets through then, and what closes it."""

from itertools import pairwise

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from channels.breaker import Breaker, BreakerPolicy, BreakerState

POLICY = BreakerPolicy(window=10, minimum=4, failure_rate=0.5)
CLOSED, OPEN, HALF_OPEN = BreakerState


def opened() -> Breaker:
    """Return a breaker that opened at 0."""
    breaker = Breaker(POLICY)
    for _ in range(POLICY.minimum):
        breaker.failed(breaker.began(0.0), 0.0)
    return breaker


def probe_fails(breaker: Breaker, now: float) -> float:
    """Let a probe fail; return how long the breaker is open then."""
    breaker.failed(breaker.began(now), now)
    return breaker.wait(now)


def test_too_few_calls_say_nothing() -> None:
    breaker = Breaker(POLICY)
    for _ in range(POLICY.minimum - 1):
        breaker.failed(breaker.began(0.0), 0.0)

    assert breaker.state is CLOSED


def test_it_opens_at_the_rate_and_not_below() -> None:
    breaker = Breaker(POLICY)
    for failed in (False, True, False, False, True, False):
        epoch = breaker.began(0.0)
        breaker.failed(epoch, 0.0) if failed else breaker.succeeded(epoch)
    assert breaker.state is CLOSED

    for _ in range(2):
        breaker.failed(breaker.began(0.0), 0.0)
    assert breaker.state is OPEN


def test_old_calls_are_forgotten() -> None:
    breaker = Breaker(POLICY)
    for _ in range(1000):
        breaker.succeeded(breaker.began(0.0))
    for _ in range(5):
        breaker.failed(breaker.began(0.0), 0.0)

    assert breaker.state is OPEN


def test_the_pause_grows_to_the_longest_and_begins_anew_after_a_success() -> None:
    breaker = opened()
    pauses, now = [breaker.wait(0.0)], 0.0
    for _ in range(4):
        now += pauses[-1]
        pauses.append(probe_fails(breaker, now))
    breaker.succeeded(breaker.began(now + 30))
    for _ in range(POLICY.minimum):
        breaker.failed(breaker.began(now), now)

    assert pauses == [5.0, 10.0, 20.0, 25.0, 25.0]
    assert breaker.wait(now) == 5.0


def test_a_probe_that_hangs_holds_the_next_up_for_five_seconds() -> None:
    breaker = opened()
    breaker.began(5.0)

    assert (breaker.state, breaker.wait(5.0), breaker.wait(10.0)) == (HALF_OPEN, 5.0, 0.0)


def test_calls_from_before_it_opened_neither_close_nor_prolong_it() -> None:
    breaker = Breaker(POLICY)
    early = breaker.began(0.0)
    for _ in range(POLICY.minimum):
        breaker.failed(breaker.began(0.0), 0.0)
    breaker.failed(early, 3.0)
    breaker.succeeded(early)
    breaker.refused(early, 3.0)

    assert (breaker.state, breaker.wait(0.0), breaker.misconfigured) == (OPEN, 5.0, False)


def test_wrong_settings_open_it_at_once_and_are_probed_every_half_minute() -> None:
    breaker = Breaker(POLICY)
    waits = []
    for now in (0.0, 30.0, 60.0):
        breaker.refused(breaker.began(now), now)
        waits.append(breaker.wait(now))
    breaker.succeeded(breaker.began(90.0))

    assert waits == [30.0] * 3
    assert (breaker.state, breaker.misconfigured) == (CLOSED, False)


def test_a_failure_after_wrong_settings_were_mended_is_one_like_any_other() -> None:
    breaker = Breaker(POLICY)
    breaker.refused(breaker.began(0.0), 0.0)

    assert probe_fails(breaker, 30.0) == 5.0
    assert not breaker.misconfigured


def test_one_message_that_a_working_provider_calls_our_fault_does_not_close_it() -> None:
    breaker = Breaker(POLICY)
    for _ in range(10):
        breaker.succeeded(breaker.began(0.0))
        breaker.refused(breaker.began(0.0), 0.0)
    assert breaker.state is CLOSED

    for _ in range(POLICY.misconfigured_calls - 1):
        breaker.refused(breaker.began(0.0), 0.0)
    assert (breaker.state, breaker.misconfigured) == (OPEN, True)


class BreakerMachine(RuleBasedStateMachine):
    """Calls that begin when they may and end in any order, in any way, against what the breaker promises."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker(POLICY)
        self.now = 0.0
        self.running: list[int] = []
        self.probes: list[float] = []
        self.results: list[bool] = []
        self.worked, self.refused = False, 0

    @rule(eighths=st.integers(min_value=0, max_value=320))
    def time_passes(self, eighths: int) -> None:
        """Eighths of a second, since sums of these are exact."""
        self.now += eighths / 8

    @precondition(lambda self: self.breaker.wait(self.now) == 0.0)
    @rule()
    def begin(self) -> None:
        if self.breaker.state is not CLOSED:
            self.probes.append(self.now)
        self.running.append(self.breaker.began(self.now))

    @precondition(lambda self: self.running)
    @rule(data=st.data(), how=st.sampled_from(["failed", "failed", "succeeded", "refused"]))
    def end(self, data: st.DataObject, how: str) -> None:
        epoch = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        was, current = self.breaker.state, epoch == self.breaker._epoch
        match how:
            case "failed":
                self.breaker.failed(epoch, self.now)
            case "refused":
                self.breaker.refused(epoch, self.now)
            case _:
                self.breaker.succeeded(epoch)
        self._judge(how, was, current=current)

    def _judge(self, how: str, was: BreakerState, *, current: bool) -> None:
        if not current:
            assert self.breaker.state is was
            return
        self.refused = 0 if how == "succeeded" else self.refused + (how == "refused")
        enough = self.refused >= (POLICY.misconfigured_calls if self.worked else 1)
        self.worked = self.worked or how == "succeeded"
        if was is not CLOSED:
            self.results, self.probes = [], self.probes if how != "succeeded" else []
            assert self.breaker.state is (CLOSED if how == "succeeded" else OPEN)
        elif how == "refused":
            self.results = [] if enough else self.results
            assert self.breaker.state is (OPEN if enough else CLOSED)
        else:
            self.results = [*self.results, how == "failed"][-POLICY.window :]
            failures, calls = sum(self.results), len(self.results)
            opens = how == "failed" and calls >= POLICY.minimum and failures * 2 >= calls
            assert self.breaker.state is (OPEN if opens else CLOSED)
            self.results = [] if opens else self.results

    @invariant()
    def probes_are_five_seconds_apart(self) -> None:
        assert all(after - before >= POLICY.probe_interval for before, after in pairwise(self.probes))

    @invariant()
    def it_is_never_shut_for_longer_than_the_longest_pause(self) -> None:
        assert self.breaker.wait(self.now) <= max(POLICY.longest_pause, POLICY.misconfigured_pause)
        assert self.breaker.state is not CLOSED or self.breaker.wait(self.now) == 0.0


TestBreakerMachine = BreakerMachine.TestCase
