"""How fast a provider may be called: so many a second, and not before it said. Pure: times are monotonic seconds.

The bucket is kept as one number, the time at which it would be full again (the generic cell rate algorithm, ITU-T
I.371): nothing refills it, so nothing has to run.
"""

_WHOLE_ROUTE = ""


class Bucket:
    """The tokens of one account. `rate` is in tokens a second, None for no limit; `burst` tokens may go at once."""

    __slots__ = ("_burst_seconds", "_full_at", "_holds", "_interval", "rate")

    def __init__(self, rate: float | None, *, burst: float | None = None) -> None:
        if rate is not None and rate <= 0:
            raise ValueError("a rate is above 0, or None")
        self.rate = rate
        self._interval = 0.0 if rate is None else 1.0 / rate
        size = max(1.0, burst if burst is not None else rate or 1.0)
        self._burst_seconds = (size - 1.0) * self._interval
        self._full_at = float("-inf")
        self._holds: dict[str, float] = {}

    def take(self, now: float) -> float:
        """Take the next token; return how long to wait before it may be used. It is the taker's from now on."""
        if self.rate is None:
            return 0.0
        wait = self._token_wait(now)
        self._full_at = max(self._full_at, now) + self._interval
        return wait

    def wait(self, now: float, domain: str = _WHOLE_ROUTE) -> float:
        """Return how long until a message to `domain` may go: until there is a token, and until no hold bars it."""
        tokens = 0.0 if self.rate is None else self._token_wait(now)
        return max(tokens, self._hold_wait(now, domain)) if self._holds else tokens

    def held(self, now: float) -> float:
        """Return how much longer the provider wants nothing at all."""
        return max(0.0, self._holds.get(_WHOLE_ROUTE, 0.0) - now) if self._holds else 0.0

    def hold(self, until: float, now: float, domain: str = _WHOLE_ROUTE) -> None:
        """Let nothing go before `until`: nothing to `domain`, or without one nothing at all. It only ever lengthens."""
        self._holds = {name: end for name, end in self._holds.items() if end > now}
        if until > max(now, self._holds.get(domain, now)):
            self._holds[domain] = until

    def _token_wait(self, now: float) -> float:
        return max(0.0, self._full_at - self._burst_seconds - now)

    def _hold_wait(self, now: float, domain: str) -> float:
        until = max(self._holds.get(_WHOLE_ROUTE, 0.0), self._holds.get(domain, 0.0))
        if until > now:
            return until - now
        self._holds = {name: end for name, end in self._holds.items() if end > now}
        return 0.0
