"""Whether push services take messages under our keys: what tells a bad subscription from a bad key."""

from collections.abc import Callable

_LATELY_SECONDS = 3600.0
_MAX_KEPT = 1_000


class Standing:
    """Remembers when each push service last accepted a message under each key. `monotonic` returns seconds."""

    def __init__(self, *, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._accepted: dict[tuple[str, str], float] = {}

    def accepted(self, key_id: str, origin: str) -> None:
        """Note that the push service of this origin accepted a message."""
        place = (key_id, origin)
        if place not in self._accepted and len(self._accepted) >= _MAX_KEPT:
            del self._accepted[min(self._accepted, key=self._accepted.__getitem__)]
        self._accepted[place] = self._monotonic()

    def good(self, key_id: str, origin: str) -> bool:
        """Return whether it accepted one within the last hour."""
        last = self._accepted.get((key_id, origin))
        return last is not None and self._monotonic() - last < _LATELY_SECONDS
