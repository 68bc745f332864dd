"""Calls back: receipts and texts that people write, posted to whoever asked for them, in the order given."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlencode

from tocsin.clock import Clock
from tocsin.net.client import Client
from tocsin.net.http import NotSent, Request, Unanswered

_SECONDS = 15.0
_CONNECTIONS = 16


class Caller:
    """Posts forms in the background. Made by `calling`, which also ends what is under way."""

    def __init__(self, http: Client) -> None:
        self._http = http
        self._tasks: set[asyncio.Task[None]] = set()

    def call(self, requests: Sequence[Request]) -> None:
        """Make these calls one after the other, each once, without waiting for them here."""
        if requests:
            task = asyncio.create_task(self._each(requests))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Give up what is under way."""
        under_way = list(self._tasks)
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    async def ask(self, request: Request) -> int | None:
        """Make one call; return the status of its answer, None if there is none."""
        deadline = asyncio.get_running_loop().time() + _SECONDS
        try:
            return (await self._http.send(request, deadline=deadline)).status
        except (NotSent, Unanswered, ValueError):
            # Nobody is there, or the URL is none. Providers do not mind either.
            return None

    async def _each(self, requests: Sequence[Request]) -> None:
        for request in requests:
            await self.ask(request)


def form(url: str, fields: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Request:
    """Return a POST of a form."""
    told = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
    return Request(method="POST", url=url, headers=told, body=urlencode(fields).encode())


@asynccontextmanager
async def calling(clock: Clock) -> AsyncIterator[Caller]:
    """Yield a caller; on leaving, what is under way is given up."""
    http = Client(connections=_CONNECTIONS, monotonic=clock.monotonic, allow_plain=True)
    caller = Caller(http)
    try:
        yield caller
    finally:
        await caller.stop()
        await http.aclose()
