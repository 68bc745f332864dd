"""Tells one part of a process that another has done something, so that it need not look for it.

Only that: who is woken reads from the store, and parts of other processes find out by looking now and then.
"""

from collections.abc import Callable, Hashable

Wake = Callable[[Hashable], None]

# Told before the server stops: an answer that would go on for ever is to end now.
DRAINING = "draining"
HTTP = "http"


class Wakeups:
    """The parts that want to hear of something, by its name. Used on the event loop only."""

    def __init__(self) -> None:
        self._wakes: dict[str, list[Wake]] = {}

    def listen(self, name: str, wake: Wake) -> None:
        """Have `wake` called with what each change of this name is about. It must return at once, and not raise."""
        self._wakes.setdefault(name, []).append(wake)

    def tell(self, name: str, about: Hashable) -> None:
        """Tell that something of this name has changed, once it is durable."""
        for wake in self._wakes.get(name, ()):
            wake(about)
