"""Not to hammer a dead server: a failed connection is remembered for a short, growing time and answered at once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

F = TypeVar("F")

_MOST_DOUBLINGS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class BackoffPolicy:
    """The first wait after a failure, doubled with each further one, up to the longest. Seconds."""

    first: float
    longest: float

    def wait(self, failures: int) -> float:
        """Return how long to wait after that many failures in a row."""
        return min(self.longest, self.first * 2.0 ** min(failures - 1, _MOST_DOUBLINGS))


class Backoff(Generic[F]):
    """What is remembered of one server's failed connections. `F` tells of one; `monotonic` returns seconds."""

    def __init__(self, policy: BackoffPolicy, monotonic: Callable[[], float]) -> None:
        self._policy = policy
        self._monotonic = monotonic
        self._failures = 0
        self._until = 0.0
        self._failure: F | None = None

    def remembered(self) -> F | None:
        """Return the last failure while it stands, or None if another connection may be tried."""
        return self._failure if self._failure is not None and self._monotonic() < self._until else None

    def failed(self, failure: F) -> None:
        """Remember a failure. Those that come together, before the first one's wait is over, count once."""
        if self.remembered() is None:
            self._failures += 1
            self._until = self._monotonic() + self._policy.wait(self._failures)
        self._failure = failure

    def succeeded(self) -> None:
        """Forget the failures: the server answered."""
        self._failures = 0
        self._failure = None
