"""How many calls a provider bears at once: a little more with each success, much less when it slows or says so.

Additive increase, multiplicative decrease, as TCP does it (RFC 5681). Pure: times are monotonic seconds.
"""

_DECREASE = 0.7
# What was under way together fails together, and counts once.
_SETTLING_SECONDS = 1.0


class Concurrency:
    """The limit of calls in flight at one provider: between 1 and `most`, with which it begins."""

    __slots__ = ("_exact", "_most", "_settles_at", "limit")

    def __init__(self, most: int) -> None:
        self.limit = self._most = max(1, most)
        self._exact = float(self._most)
        self._settles_at = float("-inf")

    def succeeded(self) -> None:
        """Take note of a call that went well: a limit's worth of them raises it by about one."""
        if self._exact < self._most:
            self._exact = min(self._most, self._exact + 1.0 / self._exact)
            self.limit = int(self._exact)

    def congested(self, now: float) -> None:
        """Take note that the provider had too much to do."""
        if now >= self._settles_at:
            self._exact = max(1.0, self._exact * _DECREASE)
            self.limit = int(self._exact)
            self._settles_at = now + _SETTLING_SECONDS
