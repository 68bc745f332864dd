"""Whether a provider is worth calling, by the failure rate of its latest calls. Pure: times are monotonic seconds.

The words are those of the pattern (M. Nygard, "Release It!"): a closed breaker lets every call through, an open one
none, a half-open one now and then a single one, the probe, whose success closes it.
"""

from collections import deque
from dataclasses import dataclass
from enum import StrEnum


class BreakerState(StrEnum):
    """What a breaker lets through: all calls, none, or probes."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """When a breaker opens, and for how long. Times in seconds.

    `window` is how many of the latest calls count; fewer than `minimum` say nothing. The pause doubles with each probe
    that fails, up to `longest_pause`: with the probe itself, a provider that is back is in full use within 30 s. After
    wrong settings it is `misconfigured_pause` from the start: people mend those, not time. Once something has worked it
    takes `misconfigured_calls` in a row to believe that: it may be the one message.
    """

    window: int = 50
    minimum: int = 20
    failure_rate: float = 0.5
    first_pause: float = 5.0
    longest_pause: float = 25.0
    probe_interval: float = 5.0
    misconfigured_pause: float = 30.0
    misconfigured_calls: int = 3


class Breaker:
    """The breaker of one provider.

    `began` returns the epoch of a call, with which its result is told. An epoch ends whenever the state changes, and
    what comes in from an earlier one is ignored: calls that were under way when the breaker opened are no probes.
    """

    __slots__ = (
        *("_calls_at", "_epoch", "_failures", "_latest", "_pause", "_policy", "_refused", "_worked"),
        *("closed", "misconfigured", "state"),
    )

    def __init__(self, policy: BreakerPolicy) -> None:
        self.state = BreakerState.CLOSED
        self.closed = True
        self.misconfigured = False
        self._policy = policy
        self._latest: deque[bool] = deque(maxlen=policy.window)
        self._failures = 0
        self._refused = 0
        self._worked = False
        self._epoch = 0
        self._pause = 0.0
        self._calls_at = 0.0

    def wait(self, now: float) -> float:
        """Return how long until a call may begin, 0 if it may now."""
        return 0.0 if self.closed else max(0.0, self._calls_at - now)

    def began(self, now: float) -> int:
        """Take note of a call; return its epoch. A call while the breaker is not closed is a probe."""
        if self.state is not BreakerState.CLOSED:
            if self.state is BreakerState.OPEN:
                self._turn(BreakerState.HALF_OPEN)
            # A probe that hangs holds the next one up no longer than this.
            self._calls_at = now + self._interval
        return self._epoch

    def succeeded(self, epoch: int) -> None:
        """Take note that a call showed the provider at work."""
        if epoch != self._epoch:
            return
        self._worked = True
        self._refused = 0
        if self.state is BreakerState.CLOSED:
            self._count(failed=False)
        else:
            self._latest.clear()
            self._failures = 0
            self.misconfigured = False
            self._turn(BreakerState.CLOSED)

    def failed(self, epoch: int, now: float) -> None:
        """Take note that a call failed for the provider's sake."""
        if epoch != self._epoch:
            return
        if self.state is BreakerState.CLOSED:
            self._count(failed=True)
            if self._too_many:
                self._open(now, self._policy.first_pause, misconfigured=False)
        else:
            longer = min(self._pause * 2, self._policy.longest_pause)
            self._open(now, self._policy.first_pause if self.misconfigured else longer, misconfigured=False)

    def refused(self, epoch: int, now: float) -> None:
        """Take note that a call failed for the sake of our settings, as the provider says."""
        if epoch != self._epoch:
            return
        self._refused += 1
        needed = self._policy.misconfigured_calls if self._worked and self.closed else 1
        if self._refused >= needed:
            self._open(now, self._policy.misconfigured_pause, misconfigured=True)

    def renew(self, now: float) -> None:
        """Take note that another provider stands here: calls to the old one say nothing of it, and after wrong
        settings it may be probed at once."""
        self._refused = 0
        self._turn(self.state)
        if self.misconfigured:
            self._calls_at = now

    @property
    def _interval(self) -> float:
        return self._policy.misconfigured_pause if self.misconfigured else self._policy.probe_interval

    @property
    def _too_many(self) -> bool:
        calls = len(self._latest)
        return calls >= self._policy.minimum and self._failures >= calls * self._policy.failure_rate

    def _count(self, *, failed: bool) -> None:
        if len(self._latest) == self._policy.window:
            self._failures -= self._latest[0]
        self._latest.append(failed)
        self._failures += failed

    def _open(self, now: float, pause: float, *, misconfigured: bool) -> None:
        self.misconfigured = misconfigured
        self._pause = pause
        self._calls_at = now + pause
        self._turn(BreakerState.OPEN)

    def _turn(self, state: BreakerState) -> None:
        self.state = state
        self.closed = state is BreakerState.CLOSED
        self._epoch += 1
