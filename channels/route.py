"""What is known of one provider: its breaker, its tokens, how many calls it bears, and how well it does."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from channels import signs
from channels.arrivals import Arrivals
from channels.breaker import Breaker, BreakerPolicy, BreakerState
from channels.bucket import Bucket
from channels.concurrency import Concurrency
from channels.hosts import Hosts
from channels.provider import Capabilities
from channels.signs import Sign
from channels.turns import Turns
from tocsin.outcome import Misconfigured, Outcome

# What has to wait for longer than this does not wait in place.
PATIENCE_SECONDS = 2.0
_LONGEST_HOLD = timedelta(hours=24)
# Twice the longest pause between two probes.
_SPARING_SECONDS = 60.0
_LEAST_HEALTH, _SICKENING, _HEALING_SECONDS = 0.05, 0.8, 60.0
_SMOOTHING = 0.1
_LEAST_TOOK = 0.001
_MOST_TEXT = 512


class RouteState(StrEnum):
    """Whether a route takes messages, as `tocsin.route.changed` tells it. Its breaker's words are the opposite."""

    OPEN = "open"
    PROBING = "probing"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """The state of a route, and why in words without contents."""

    state: RouteState = RouteState.OPEN
    why: str = ""
    misconfigured: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How well a provider did lately, from 1 to nearly 0, and why in words without contents."""

    health: float
    why: str


class Route:
    """One provider, as far as it is used. All times are monotonic seconds."""

    def __init__(self, name: str, capabilities: Capabilities, *, policy: BreakerPolicy) -> None:
        self.name = name
        self.weight = capabilities.weight
        self.condition = Condition()
        self.turns = Turns(max(1, capabilities.max_in_flight))
        self._breaker = Breaker(policy)
        self._bucket = Bucket(capabilities.messages_per_second or None)
        self._concurrency = Concurrency(capabilities.max_in_flight)
        self._hosts = Hosts() if capabilities.many_hosts else None
        self._took = 0.0
        self._health, self._health_at = 1.0, 0.0
        self._arrivals = Arrivals()
        self._why = ""
        self._called_at = 0.0  # since it is closed
        # How many deliveries may be under way so that none waits much longer than PATIENCE_SECONDS.
        self.room = self._room()

    def free(self, now: float) -> bool:
        """Return whether nothing at all keeps a message waiting, the cheapest of questions."""
        turns, bucket = self.turns, self._bucket
        return (
            turns.under_way < turns.limit and self._breaker.closed and bucket.rate is None and now >= bucket.held_until
        )

    def takes(self, now: float) -> bool:
        """Return whether it takes messages, apart from probes."""
        return self._breaker.closed and (now >= self._bucket.held_until or self._bucket.held(now) <= PATIENCE_SECONDS)

    def closed_for(self, now: float, domain: str = "") -> float:
        """Return for how long nothing at all may be sent to `domain`, not even a probe."""
        return max(self._breaker.wait(now), self._bucket.barred(now, domain))

    def bars(self, now: float, domain: str) -> bool:
        """Return whether a message to `domain` that has its turn has to give it back. Never true where `wait` is within
        PATIENCE_SECONDS and nothing has happened since."""
        if self._breaker.closed and now >= self._bucket.held_until:
            return False
        return self._breaker.wait(now) > 0 or self._bucket.barred(now, domain) > PATIENCE_SECONDS

    def spares(self, now: float) -> bool:
        """Return whether it is closed, and was called lately: there is enough that probes it."""
        return not self._breaker.closed and now - self._called_at < _SPARING_SECONDS

    def wait(self, now: float, domain: str = "") -> float:
        """Return about how long a message to `domain` would wait; up to PATIENCE_SECONDS it may do so in place."""
        barred = 0.0 if self.takes(now) else self.closed_for(now)
        if barred:
            # Nobody waits in place for a probe's turn.
            return max(barred, PATIENCE_SECONDS * 1.01)
        wait, turns = self._bucket.wait(now, domain), self.turns
        if turns.under_way < turns.limit:
            return wait
        return max(wait, (turns.waiting + 1) * self._took / turns.limit)

    def health(self, now: float) -> float:
        """Return how well it did lately, from 1 to nearly 0: by its calls and by its receipts. It heals with time."""
        return max(_LEAST_HEALTH, self._called(now) * self._arrivals.quality(now))

    def standing(self, now: float) -> Standing:
        """Return the same, and why."""
        receipts = self._arrivals.quality(now) < self._called(now)
        why = "its receipts tell of failures" if receipts else "its calls fail, or are throttled"
        return Standing(health=self.health(now), why=why)

    def heard(self, *, arrived: bool, now: float) -> None:
        """Take note of a receipt, of a message that arrived or failed by the provider's fault."""
        self._arrivals.told(arrived=arrived, now=now)

    def take_token(self, now: float, domain: str) -> float:
        """Take a token; return how long to wait before it may be used to send to `domain`."""
        return self._bucket.take(now, domain)

    def began(self, now: float, domain: str = "") -> int:
        """Take note of a call to `domain`; return the epoch with which its end is told."""
        if now < self._bucket.held_until:
            self._bucket.began(now)
        if self._hosts is not None:
            self._bucket.hold(self._hosts.began(domain, now), now, domain)
        return self._breaker.began(now)

    def ended(self, epoch: int, outcome: Outcome, *, claimed: bool, began_at: float, now: float, domain: str) -> None:
        """Take note of what a call came to that began then."""
        sign = signs.of(outcome, claimed=claimed)
        if self._hosts is not None and self._is_of_host(self._hosts, sign, now, domain, took=now - began_at):
            return
        self._took += _SMOOTHING * (now - began_at - self._took)
        match sign:
            case Sign.WORKS:
                self._breaker.succeeded(epoch)
                self._concurrency.succeeded()
            case Sign.FAILS:
                self._why = f"its calls fail: {getattr(outcome, 'cause', 'no answer')}"
                self._breaker.failed(epoch, now)
                self._sicken(now)
            case Sign.MISCONFIGURED:
                self._why = _misconfiguration(outcome)
                self._breaker.refused(epoch, now)
                self._sicken(now)
        if not self._breaker.closed:
            self._called_at = now
        if signs.congested(outcome):
            self._concurrency.congested(now)
            self._sicken(now)
        elif sign is Sign.WORKS and now < self._bucket.held_until:
            self._bucket.answered(began_at)
        self.turns.limit = self._concurrency.limit
        self.room = self._room()
        asked = signs.asks_to_wait(outcome)
        if asked is not None:
            until = now + min(asked, _LONGEST_HOLD).total_seconds()
            self._bucket.hold(until, now, domain if signs.of_domain(outcome) else "")

    def renew(self, now: float) -> None:
        """Take note that its provider was made anew, with other secrets."""
        self._breaker.renew(now)

    def look(self, now: float) -> bool:
        """Bring `condition` up to date; return whether that changed it."""
        known = self.condition
        if known.state is RouteState.OPEN and self.takes(now):
            return False
        found = self._condition(now)
        if (found.state, found.misconfigured) == (known.state, known.misconfigured):
            return False
        self.condition = found
        return True

    def _condition(self, now: float) -> Condition:
        state, misconfigured = self._breaker.state, self._breaker.misconfigured
        if self._breaker.closed:
            if self._bucket.held(now) <= PATIENCE_SECONDS:
                return Condition(why="it works")
            told = RouteState.PROBING if self._bucket.probed else RouteState.CLOSED
            return Condition(state=told, why=f"it wants nothing for {self._bucket.held(now):.0f} s")
        # A probe that failed is followed by another: between them it is being probed all the same.
        probed = self.condition.state is RouteState.PROBING and self.condition.misconfigured == misconfigured
        probing = state is BreakerState.HALF_OPEN or probed
        told = RouteState.PROBING if probing else RouteState.CLOSED
        return Condition(state=told, why=self._why, misconfigured=misconfigured)

    def _room(self) -> float:
        """By Little's law: those that are being sent, and as many as go in the time that one may wait."""
        took = max(self._took, _LEAST_TOOK)
        room = self.turns.limit * (1.0 + PATIENCE_SECONDS / took)
        rate = self._bucket.rate
        return room if rate is None else min(room, 1.0 + rate * (PATIENCE_SECONDS + took))

    def _is_of_host(self, hosts: Hosts, sign: Sign, now: float, domain: str, *, took: float) -> bool:
        """Return whether a call says something of its host only; if so, that host is left alone for a while."""
        if sign is Sign.WORKS and hosts.succeeded(domain, now):
            self._bucket.lift(domain)
        if sign is Sign.WORKS and not self._breaker.closed:
            # Where none worked, it was nothing of theirs: they need not be tried one by one.
            for host in hosts.forgive():
                self._bucket.lift(host)
        if sign is not Sign.FAILS:
            return False
        self._bucket.hold(hosts.failed(domain, now, took=took), now, domain)
        return not hosts.all_fail(now)

    def _called(self, now: float) -> float:
        return min(1.0, self._health + (now - self._health_at) / _HEALING_SECONDS)

    def _sicken(self, now: float) -> None:
        self._health = max(_LEAST_HEALTH, self._called(now) * _SICKENING)
        self._health_at = now


def _misconfiguration(outcome: Outcome) -> str:
    """Return what is wrong with our settings, by what the adapter says. Adapters redact what they repeat."""
    detail = outcome.detail if isinstance(outcome, Misconfigured) else ""
    return " ".join(part for part in (detail, outcome.code, outcome.message) if part)[:_MOST_TEXT]
