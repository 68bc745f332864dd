"""When most of what a channel handles dies of our own inability, it stops rather than drain its topic into the DLQ."""

from collections import deque

from tocsin.deadletter import UNREADABLE, Reason

_WINDOW = 200
_TOO_MANY = _WINDOW // 2
_OURS = frozenset({*UNREADABLE, Reason.HANDLER_ERROR})


class Halt:
    """Watches how the lives of one channel end. Once closed it stays closed until the gateway starts anew."""

    def __init__(self) -> None:
        self._endings: deque[bool] = deque(maxlen=_WINDOW)
        self.closed = False

    def ended(self, reason: str | None) -> bool:
        """Take note of an ended life (the reason if it died); return whether this one closed the channel."""
        ours = reason in _OURS
        self._endings.append(ours)
        # Only an ending of ours can be the one too many.
        if not ours or self.closed or sum(self._endings) <= _TOO_MANY:
            return False
        self.closed = True
        return True
