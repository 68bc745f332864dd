"""The hosts that one provider reaches, where each message names its own: which fail, and how long to leave them alone.

A host may be a stranger's, and that it fails says nothing of the others. Pure: times are monotonic seconds.
"""

from collections.abc import Collection
from itertools import takewhile
from typing import NamedTuple

_FIRST_HOLD_SECONDS, _USUAL_HOLD_SECONDS, _LONGEST_HOLD_SECONDS = 5.0, 30.0, 300.0
# A host whose calls hang is left alone for so many times as long: it holds up a share of the calls, and no more.
_REST = 30.0
_PROBE_SECONDS = 5.0
# Where that many fail within the window and none works, it is not they that are at fault.
_SEVERAL, _WINDOW_SECONDS = 3, 300.0
_FORGOTTEN_SECONDS = 2 * _LONGEST_HOLD_SECONDS
_FEW = 64


class _Failing(NamedTuple):
    """When a host failed last, until when it is left alone, and for how long that was."""

    at: float
    until: float
    hold: float


class Hosts:
    """The hosts that have failed and have not worked since."""

    __slots__ = ("_failing", "_prune_above", "_worked_at")

    def __init__(self) -> None:
        # The latest failure comes last.
        self._failing: dict[str, _Failing] = {}
        self._prune_above = _FEW
        self._worked_at = float("-inf")

    def began(self, host: str, now: float) -> float:
        """Take note of a call; return until when it is to be the only one: it is the probe of a host that fails."""
        return now + _PROBE_SECONDS if host in self._failing else now

    def succeeded(self, host: str, now: float) -> bool:
        """Take note that a host works; return whether it had failed."""
        self._worked_at = now
        return bool(self._failing) and self._failing.pop(host, None) is not None

    def forgive(self) -> Collection[str]:
        """Forget all failures, since they were not the hosts' own; return the hosts."""
        found, self._failing = self._failing, {}
        return found.keys()

    def failed(self, host: str, now: float, *, took: float = 0.0) -> float:
        """Take note that a host failed in a call that lasted so long; return until when it is to be left alone.

        Longer with each failure in a row. All in seconds.
        """
        known = self._failing.pop(host, None)
        if known is None or now > known.until + _FORGOTTEN_SECONDS:
            found = _Failing(now, now + _FIRST_HOLD_SECONDS, _FIRST_HOLD_SECONDS)
        elif now < known.until:
            # What was under way together fails together, and counts once.
            found = known._replace(at=now)
        else:
            longest = min(max(_USUAL_HOLD_SECONDS, _REST * took), _LONGEST_HOLD_SECONDS)
            hold = min(known.hold * 2, longest)
            found = _Failing(now, now + hold, hold)
        self._failing[host] = found
        self._prune(now)
        return found.until

    def all_fail(self, now: float) -> bool:
        """Return whether several hosts have failed lately, and none has worked since."""
        since = max(self._worked_at, now - _WINDOW_SECONDS)
        lately = takewhile(lambda failing: failing.at > since, reversed(self._failing.values()))
        return any(number == _SEVERAL for number, _ in enumerate(lately, 1))

    def _prune(self, now: float) -> None:
        if len(self._failing) > self._prune_above:
            kept = {host: each for host, each in self._failing.items() if now <= each.until + _FORGOTTEN_SECONDS}
            self._failing = kept
            self._prune_above = max(_FEW, 2 * len(kept))
