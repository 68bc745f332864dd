"""Finding the one record that no client can decode: a header name that is not UTF-8 raises within `getmany`.

The error names no place, so partitions are asked one by one, and the one that raises record by record. Pure: says what
to ask next and learns how it went.
"""

from collections import deque
from collections.abc import Collection

from tocsin.record import Partition


class Suspicion:
    """Suspects nobody until something raises."""

    def __init__(self) -> None:
        self._suspects: deque[Partition] = deque()
        self._culprit: Partition | None = None

    @property
    def active(self) -> bool:
        """Whether a culprit is being looked for."""
        return self._culprit is not None or bool(self._suspects)

    def ask(self, open_: Collection[Partition], limit: int) -> tuple[Collection[Partition], int]:
        """Return which partitions to ask, and for how many records at most."""
        if self._culprit is not None and self._culprit in open_:
            return [self._culprit], 1
        while self._suspects and self._suspects[0] not in open_:
            self._suspects.popleft()
        return ([self._suspects[0]], limit) if self._suspects else (open_, limit)

    def raised(self, asked: Collection[Partition], limit: int) -> Partition | None:
        """Learn that what was asked raised; return the partition if its very next record is the one."""
        if len(asked) == 1:
            [only] = asked
            if limit == 1:
                self.forget()
                return only
            self._suspects.clear()
            self._culprit = only
        else:
            self._culprit = None
            self._suspects = deque(asked)
        return None

    def answered(self, asked: Collection[Partition], *, empty: bool) -> None:
        """Learn that what was asked did not raise."""
        if self._suspects and list(asked) == [self._suspects[0]]:
            self._suspects.popleft()
        elif empty and list(asked) == [self._culprit]:
            # It may be gone with its segment. If it is only late, it will raise again.
            self.forget()

    def forget(self) -> None:
        """Suspect nobody."""
        self._culprit = None
        self._suspects.clear()
