"""How much of what a provider took arrives, as its receipts tell it. Pure: times are monotonic seconds.

Both kinds of receipts are counted, and each count fades, so that what was told long ago says nothing: a provider that
is told nothing of is as good as one that never failed.
"""

from math import exp

# The weight of a receipt falls to a third in that time.
_FADING_SECONDS = 300.0
# As many are taken to have arrived before anything was told: the first failures say little.
_TRUSTED = 20.0
# A tenth that fails takes a quarter of the share, a half takes seven eighths.
_SEVERITY = 3
_NOTHING = 0.01


class Arrivals:
    """The receipts of one provider: those of what arrived, and of what failed by the provider's own fault."""

    __slots__ = ("_arrived", "_at", "_failed")

    def __init__(self) -> None:
        self._arrived = self._failed = 0.0
        self._at = 0.0

    def told(self, *, arrived: bool, now: float) -> None:
        """Take note of a receipt."""
        fading = exp((self._at - now) / _FADING_SECONDS)
        self._arrived = self._arrived * fading + arrived
        self._failed = self._failed * fading + (not arrived)
        self._at = now

    def quality(self, now: float) -> float:
        """Return how well things arrive: 1 where nothing fails, close to 0 where everything does."""
        if not self._failed:
            return 1.0
        fading = exp((self._at - now) / _FADING_SECONDS)
        failed = self._failed * fading
        if failed < _NOTHING:
            self._failed = 0.0
            return 1.0
        good = self._arrived * fading + _TRUSTED
        return float((good / (good + failed)) ** _SEVERITY)
