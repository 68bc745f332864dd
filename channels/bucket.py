"""How fast a provider may be called: so many a second, and not before it said. Pure: times are monotonic seconds.

The bucket is kept as one number, the time at which it would be full again (the generic cell rate algorithm, ITU-T
I.371): nothing refills it, so nothing has to run.
"""

_WHOLE_ROUTE = ""
# A provider may be mistaken in how long it wants nothing: within a longer hold one call is tried each time.
_PROBE_SECONDS = 300.0
_FEW_HOLDS = 64


class Bucket:
    """The tokens of one account. `rate` is in tokens a second, None for no limit; `burst` tokens may go at once.

    `held_until` is when the last hold of whatever kind ends; `probed` says that the hold of all has had a probe.
    """

    __slots__ = (
        "_burst_seconds",
        "_full_at",
        "_held_since",
        "_holds",
        "_interval",
        "_probe_at",
        "_prune_above",
        "held_until",
        "probed",
        "rate",
    )

    def __init__(self, rate: float | None, *, burst: float | None = None) -> None:
        if rate is not None and rate <= 0:
            raise ValueError("a rate is above 0, or None")
        self.rate = rate
        self.held_until = float("-inf")
        self._interval = 0.0 if rate is None else 1.0 / rate
        size = max(1.0, burst if burst is not None else rate or 1.0)
        self._burst_seconds = (size - 1.0) * self._interval
        self._full_at = float("-inf")
        self._holds: dict[str, float] = {}
        self._prune_above = _FEW_HOLDS
        self._held_since = self._probe_at = 0.0
        self.probed = False

    def take(self, now: float, domain: str = _WHOLE_ROUTE) -> float:
        """Take the next token; return how long to wait before it may be used to `domain`. It is the taker's."""
        if self.rate is None:
            return self.barred(now, domain)
        # What waits for the end of a hold goes at the rate from then on, and not all at once.
        barred = self.barred(now)
        wait = barred + self._token_wait(now + barred)
        self._full_at = max(self._full_at, now + barred) + self._interval
        return max(wait, self.barred(now, domain))

    def wait(self, now: float, domain: str = _WHOLE_ROUTE) -> float:
        """Return how long until a message to `domain` may go: until there is a token, and until no hold bars it."""
        tokens = 0.0 if self.rate is None else self._token_wait(now)
        return tokens if now >= self.held_until else max(tokens, self.barred(now, domain))

    def held(self, now: float) -> float:
        """Return how much longer the provider wants nothing at all."""
        return max(0.0, self._holds.get(_WHOLE_ROUTE, 0.0) - now) if now < self.held_until else 0.0

    def barred(self, now: float, domain: str = _WHOLE_ROUTE) -> float:
        """Return how long until no hold bars a message to `domain`, or until it may be the probe of a long one."""
        if now >= self.held_until:
            return 0.0
        route = max(0.0, min(self.held(now), self._probe_at - now))
        return route if domain == _WHOLE_ROUTE else max(route, self._holds.get(domain, 0.0) - now)

    def hold(self, until: float, now: float, domain: str = _WHOLE_ROUTE) -> None:
        """Let nothing go before `until`: nothing to `domain`, or without one nothing at all. It only ever lengthens."""
        if until <= max(now, self._holds.get(domain, now)):
            return
        if domain == _WHOLE_ROUTE:
            self.probed = self.probed and bool(self.held(now))
            self._held_since, self._probe_at = now, now + _PROBE_SECONDS
        self._holds[domain] = until
        self.held_until = max(self.held_until, until)
        if len(self._holds) > self._prune_above:
            self._holds = {name: end for name, end in self._holds.items() if end > now}
            self._prune_above = max(_FEW_HOLDS, 2 * len(self._holds))

    def lift(self, domain: str) -> None:
        """Let messages to `domain` go again."""
        self._holds.pop(domain, None)

    def began(self, now: float) -> None:
        """Take note of a call. One in the midst of a hold is its probe, and the next is not due for a while."""
        if self.held(now):
            self.probed = True
            self._probe_at = now + _PROBE_SECONDS

    def answered(self, began_at: float) -> None:
        """Take note that a call which began then was not throttled: if it was a hold's probe, the hold is over."""
        if began_at > self._held_since:
            self._holds.pop(_WHOLE_ROUTE, None)

    def _token_wait(self, now: float) -> float:
        return max(0.0, self._full_at - self._burst_seconds - now)
