"""The feed as it comes: Server-Sent Events (WHATWG HTML, section 9.2).

An event's id is its number in the feed. A browser that comes back says which it saw last, and reads on from there. One
that does not take what it is sent for some seconds is disconnected, and comes back when it can.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import timedelta

from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event
from loguru import logger
from starlette.types import Message, Receive, Scope, Send

from examples.shop.kit.database import Database, DatabaseUnavailable
from examples.shop.page.feed import SHOWN, Feed
from examples.shop.page.hub import Hub
from tocsin.clock import Clock

HEARTBEAT = timedelta(seconds=15)
# Where other copies of the page may write as well, nothing wakes us: then we look this often.
_LOOK_EVERY = timedelta(seconds=1)
# So many are held for a browser while they are sent.
_AT_ONCE = 100
_RETRY_MILLISECONDS = 1000
_PATIENCE_SECONDS = 10.0


class Events:
    """Writes the feed."""

    def __init__(self, database: Database, hub: Hub, *, clock: Clock) -> None:
        self._feed = Feed(database)
        self._hub = hub
        self._clock = clock
        self._look_every = _LOOK_EVERY if database.shared else HEARTBEAT

    async def after(self, seen: int | None, woken: asyncio.Event) -> AsyncGenerator[bytes]:
        """Yield what came after the entry that was seen last, else after the newest; `live` once that is told.

        `reset` comes first if what was seen is of another feed: then everything is told anew.
        """
        yield format_sse_event(retry=_RETRY_MILLISECONDS)
        try:
            newest = await self._feed.newest()
            if seen is not None and seen > newest:
                yield format_sse_event(event="reset", data_str="{}")
                seen = None
            number = max(0, newest - SHOWN) if seen is None else seen
            async for chunk in self._from(number, woken):
                yield chunk
        except DatabaseUnavailable as error:
            logger.warning("shop_feed_not_read", error=str(error))

    async def _from(self, number: int, woken: asyncio.Event) -> AsyncGenerator[bytes]:
        live = False
        quiet_since = self._clock.now()
        while not self._hub.closing:
            woken.clear()
            found = await self._feed.since(number, limit=_AT_ONCE)
            for entry in found:
                yield format_sse_event(id=str(entry.number), data_str=entry.body.decode())
                number = entry.number
            if len(found) == _AT_ONCE:
                continue
            if not live:
                live = True
                yield format_sse_event(event="live", data_str="{}")
            if found:
                quiet_since = self._clock.now()
            await self._pause(woken)
            if self._clock.now() - quiet_since >= HEARTBEAT:
                quiet_since = self._clock.now()
                yield KEEPALIVE_COMMENT

    async def _pause(self, woken: asyncio.Event) -> None:
        timer = self._clock.call_at(self._clock.now() + self._look_every, woken.set)
        try:
            await woken.wait()
        finally:
            timer.cancel()


class EventStream(EventSourceResponse):
    """The answer: connected for as long as it runs, which is until the browser goes, or we drain."""

    def __init__(
        self, seen: int | None, *, events: Events, hub: Hub, patience_seconds: float = _PATIENCE_SECONDS
    ) -> None:
        self._seen = seen
        self._events = events
        self._hub = hub
        self._patience = patience_seconds
        # Proxies are told not to hold anything back (nginx reads this).
        super().__init__((), headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See Starlette's response."""
        with self._hub.connected() as woken:
            async with aclosing(self._events.after(self._seen, woken)) as events:
                self.body_iterator = events
                await super().__call__(scope, receive, send)

    async def stream_response(self, send: Send) -> None:
        """See Starlette's response: but nobody waits for long."""

        async def in_time(message: Message) -> None:
            async with asyncio.timeout(self._patience):
                await send(message)

        try:
            await super().stream_response(in_time)
        except TimeoutError:
            logger.info("shop_browser_too_slow")
