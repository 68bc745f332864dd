"""The way out of a channel: who takes its messages, and what keeps them from taking too many.

There are two: through the routes to the providers, and the one of tests (`channels.rehearsal`), which ends in here.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from channels.provider import Provider
from channels.routes import Call, Closed
from tocsin.delivery import Delivery
from tocsin.outcome import Outcome


class Calls(Protocol):
    """Lets calls of providers begin, and is told how they ended. `channels.routes.Routes` says how."""

    async def begin(
        self, candidates: Collection[str], *, domain: str = "", urgent: bool = False, spared: bool = False
    ) -> Call | Closed:
        """Begin a call through one of the candidates, or say that none takes anything soon."""

    def begin_now(self, candidates: Collection[str], *, avoid: Collection[str], domain: str = "") -> Call | None:
        """Begin a call through another candidate if one can take it this very moment."""

    def ended(self, call: Call, outcome: Outcome | None, *, claimed: bool) -> None:
        """End a call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Providers by their names, which of them can take a delivery, and how they are called."""

    providers: Mapping[str, Provider]
    candidates: Callable[[Delivery], Sequence[str]]
    calls: Calls
