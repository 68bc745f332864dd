"""Flow control (RFC 9113, section 5.2): how much either side takes. Pure."""

from typing import Final

from channels.push.h2_frames import LARGEST, ErrorCode, Fault

# Of every stream and the connection, until somebody says otherwise; we do not.
INITIAL: Final = 65_535


class Credit:
    """What the peer may still send us, of one stream or of the connection."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = INITIAL

    def spend(self, octets: int) -> int:
        """Count what came. Return how much to give back: all that was used, once it is half. Raises Fault."""
        self._left -= octets
        if self._left < 0:
            raise Fault(ErrorCode.FLOW_CONTROL_ERROR)
        if self._left > INITIAL // 2:
            return 0
        used, self._left = INITIAL - self._left, INITIAL
        return used


def grown(window: int, octets: int) -> int:
    """Return the peer's window, changed by so much. It may be below 0, never above the largest. Raises Fault."""
    if window + octets > LARGEST:
        raise Fault(ErrorCode.FLOW_CONTROL_ERROR)
    return window + octets
