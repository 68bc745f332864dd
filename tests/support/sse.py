"""A page's EventSource, as far as a test needs one: Server-Sent Events from a real server."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event. A comment is one with nothing but its text."""

    id: str | None = None
    type: str | None = None
    data: Any = None
    comment: str | None = None


class Events:
    """The events of one connection."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.aiter_lines()
        self.last_id: str | None = None

    async def next(self, *, seconds: float = 20.0) -> Event:
        """Return the next event or comment. Raises StopAsyncIteration where the server has ended the answer."""
        return await asyncio.wait_for(self._next(), seconds)

    async def take(self, count: int) -> list[Any]:
        """Return the data of the next events, comments left out."""
        found: list[Any] = []
        while len(found) < count:
            event = await self.next()
            if event.comment is None:
                found.append(event.data)
        return found

    async def ended(self) -> None:
        """Return once the server has ended the answer."""
        try:
            while True:
                await self.next()
        except StopAsyncIteration:
            return

    async def _next(self) -> Event:
        while True:
            members = await self._block()
            if "id" in members:
                self.last_id = members["id"]
            if "data" in members or "comment" in members:
                data = json.loads(members["data"]) if "data" in members else None
                return Event(id=members.get("id"), type=members.get("event"), data=data, comment=members.get("comment"))

    async def _block(self) -> dict[str, str]:
        members: dict[str, str] = {}
        while line := await anext(self._lines):
            name, _, value = line.partition(":")
            members[name or "comment"] = value.removeprefix(" ")
        return members


@asynccontextmanager
async def listening(client: httpx.AsyncClient, path: str, **request: Any) -> AsyncIterator[Events]:
    """Be connected for as long as the block runs."""
    async with client.stream("GET", path, **request) as response:
        if response.status_code != 200:
            await response.aread()
        yield Events(response)
