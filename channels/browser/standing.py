"""Whether push services take messages under our keys: what tells a bad subscription from a bad key."""

from collections.abc import Callable

_LATELY_SECONDS = 3600.0
# So many subscriptions in a row do not all happen to be bad: it is the key.
_TELLING = 3


class Standing:
    """Remembers of each key when a message was last accepted under it, and who has refused one since.

    The push service does not matter: one that takes messages has checked the key. `monotonic` returns seconds.
    """

    def __init__(self, *, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._accepted: dict[str, float] = {}
        self._refusals: dict[str, set[str]] = {}

    def accepted(self, key_id: str) -> None:
        """Note that a push service accepted a message."""
        self._accepted[key_id] = self._monotonic()
        self._refusals.pop(key_id, None)

    def refused(self, key_id: str, endpoint: str) -> bool:
        """Note that a push service refused the credentials of a message to this endpoint.

        Returns whether it is the key that is bad: several endpoints have refused it, and none accepted it between.
        """
        refusals = self._refusals.setdefault(key_id, set())
        if len(refusals) < _TELLING:
            refusals.add(endpoint)
        return len(refusals) >= _TELLING

    def good(self, key_id: str) -> bool:
        """Return whether a message was accepted under this key within the last hour."""
        last = self._accepted.get(key_id)
        return last is not None and self._monotonic() - last < _LATELY_SECONDS
