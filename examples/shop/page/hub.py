"""The browsers that listen. Nothing is queued for them: they are woken, and read on from where they are."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

_MOST = 200


class Hub:
    """The connections of this process."""

    def __init__(self, *, most: int = _MOST) -> None:
        self._most = most
        self._connections: set[asyncio.Event] = set()
        self.closing = False

    @property
    def full(self) -> bool:
        """Whether no further browser may listen."""
        return len(self._connections) >= self._most

    @contextmanager
    def connected(self) -> Iterator[asyncio.Event]:
        """Be connected for as long as the block runs. Yields what is set when there may be something new."""
        woken = asyncio.Event()
        self._connections.add(woken)
        try:
            yield woken
        finally:
            self._connections.discard(woken)

    def wake(self) -> None:
        """Have everybody look."""
        for woken in self._connections:
            woken.set()

    def close(self) -> None:
        """Have all connections end."""
        self.closing = True
        self.wake()
