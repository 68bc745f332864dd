"""The port to HTTP: a request, its answer, and the two ways in which there is none.

What became of a request that has no answer decides whether it may be made again, so the two are told apart by what
left us, not by what went wrong.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import msgspec

Claim = Callable[[], Awaitable[None]]


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request. `Host` and `Content-Length` are set by the client; other headers are sent as they are."""

    method: str
    url: str
    headers: Mapping[str, str] = {}
    body: bytes = b""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer, whatever its status. The names of `headers` are in lower case; redirects are not followed."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NotSent(Exception):
    """Nothing of the request left us. `cause` is a word for it; `ours` says that the settings are at fault (TLS)."""

    def __init__(self, cause: str, *, ours: bool = False, detail: str = "") -> None:
        super().__init__(detail or cause)
        self.cause = cause
        self.ours = ours
        self.detail = detail


class Unanswered(Exception):
    """Bytes of the request left us and no whole answer came back. `phase` is `request`, `headers` or `body`."""

    def __init__(self, phase: str) -> None:
        super().__init__(f"no answer: {phase}")
        self.phase = phase


class HttpClient(Protocol):
    """Makes requests. One for each provider account, used by many at a time."""

    async def send(self, request: Request, *, deadline: float, claim: Claim | None = None) -> Answer:
        """Make one request, once: nothing is repeated, nothing redirected.

        `claim` is awaited once, with a connection held that is ready, before the first byte of the request leaves;
        what it raises passes through with the connection kept. `deadline` is a time of `loop.time()`. Raises NotSent
        and Unanswered. When cancelled, the connection is closed.
        """

    async def aclose(self) -> None:
        """Close the connections."""
