"""What one rendering may use up: characters of output, units of work, seconds.

Work is counted, not timed, so that the same template and data end the same way on any machine: one unit for an
iteration, a call or a filter, and one for each character or item of a value that the template makes. The clock is
a second bound, for what counting cannot see (a search in a long list).
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

_CLOCK_EVERY = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of the rendering of one part (`seconds` by the timer that the catalogue was given)."""

    output: int = 512 * 1024
    work: int = 1_000_000
    seconds: float = 0.25


class BudgetExceeded(Exception):
    """A rendering used more than its limits. Never leaves this package."""


class Budget:
    """What is left of the limits during one rendering. Its time begins with the first look at the clock: what works
    so little that nobody looks needs none."""

    __slots__ = ("_deadline", "_left", "_next_look", "_seconds", "_timer")

    def __init__(self, limits: Limits, timer: Callable[[], float]) -> None:
        self._timer = timer
        self._seconds = limits.seconds
        self._deadline: float | None = None
        self._left = limits.work
        self._next_look = limits.work - _CLOCK_EVERY

    def spend(self, units: int) -> None:
        """Take `units` of work. Raises BudgetExceeded when none is left, or no time."""
        self._left -= units
        if self._left < self._next_look:
            if self._left < 0:
                raise BudgetExceeded("does too much work (loops too often, or makes values that are too large)")
            self._next_look = self._left - _CLOCK_EVERY
            self.look()

    def look(self) -> None:
        """Look at the clock. Raises BudgetExceeded when the time is up."""
        if self._deadline is None:
            self._deadline = self._timer() + self._seconds
        elif self._timer() > self._deadline:
            raise BudgetExceeded("takes too long")

    def counted(self, items: Iterable[Any]) -> Iterator[Any]:
        """Yield the items, one unit each."""
        for item in items:
            self.spend(1)
            yield item

    def weighed(self, value: Any) -> Any:
        """Return a value that the template made, after taking its weight: its characters and items, all the way in."""
        if isinstance(value, str):
            self.spend(1 + len(value))
        elif isinstance(value, list | tuple | dict):
            self._weigh_container(value)
        else:
            self.spend(1)
        return value

    def gathered(self, items: Iterable[Any]) -> list[Any]:
        """Return lazy items as a list, weighing each as it comes."""
        return [self.weighed(item) for item in items]

    def _weigh_container(self, container: list[Any] | tuple[Any, ...] | dict[Any, Any]) -> None:
        """Walk without recursion. A value that is shared is weighed as often as printing would print it."""
        stack: list[Any] = [container]
        while stack:
            value = stack.pop()
            if isinstance(value, str):
                self.spend(1 + len(value))
                continue
            self.spend(1)
            if isinstance(value, dict):
                stack.extend(value)
                stack.extend(value.values())
            elif isinstance(value, list | tuple):
                stack.extend(value)
