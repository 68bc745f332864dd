"""The events of one inbox, as they come: Server-Sent Events (WHATWG HTML, section 9.2).

Nothing is queued for a connection: it knows the number of the last message that it was sent, and reads on from there
whenever it is woken. So what comes while nobody listens, or between two reads, is neither lost nor sent twice; and a
page that does not take what it is sent for some seconds is disconnected, to come back when it can.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event
from loguru import logger
from starlette.types import Message, Receive, Scope, Send

from channels.browser import inbox_views
from channels.browser.inbox import Inboxes
from channels.browser.inbox_hub import Connection, Hub
from channels.browser.inbox_message import InboxMessage, Owner
from tocsin.clock import Clock
from tocsin.errors import StoreUnavailable

HEARTBEAT = timedelta(seconds=15)
# So many messages are held for a connection while they are sent.
_AT_ONCE = 20
_RETRY_MILLISECONDS = 2000
# A page that takes nothing for so long is gone, or too slow.
_PATIENCE_SECONDS = 10.0

_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """What a page listens to: an inbox after a number, until a time."""

    owner: Owner
    after: int
    until: datetime


class Events:
    """Writes the events of inboxes."""

    def __init__(self, inboxes: Inboxes, hub: Hub, *, clock: Clock) -> None:
        self._inboxes = inboxes
        self._hub = hub
        self._clock = clock

    async def of(self, listening: Listening, connection: Connection) -> AsyncGenerator[bytes]:
        """Yield the events until the connection is to end; a comment where there was nothing for 15 s."""
        yield format_sse_event(retry=_RETRY_MILLISECONDS)
        number = listening.after
        while not self._hub.closing and self._clock.now() < listening.until:
            connection.woken.clear()
            try:
                found = await self._inboxes.since(listening.owner, number, limit=_AT_ONCE)
            except StoreUnavailable as error:
                logger.warning("inbox_not_read", error=str(error))
                return
            for message in found:
                yield _event(message)
                number = message.number
            if len(found) < _AT_ONCE and not await self._woken(connection, listening.until):
                yield KEEPALIVE_COMMENT

    async def _woken(self, connection: Connection, until: datetime) -> bool:
        """Wait until there may be something to send, or nothing has been for long. Returns which."""
        beat = min(self._clock.now() + HEARTBEAT, until)
        timer = self._clock.call_at(beat, connection.woken.set)
        try:
            await connection.woken.wait()
        finally:
            timer.cancel()
        return self._clock.now() < beat


class EventStream(EventSourceResponse):
    """The answer: connected for as long as it runs, which is until the page goes, its ticket expires, or we drain."""

    def __init__(
        self,
        listening: Listening,
        *,
        events: Events,
        hub: Hub,
        patience_seconds: float = _PATIENCE_SECONDS,
    ) -> None:
        self._listening = listening
        self._events = events
        self._hub = hub
        self._patience = patience_seconds
        # Proxies are told not to hold anything back (nginx reads this).
        super().__init__((), headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See Starlette's response."""
        with self._hub.connected(self._listening.owner) as connection:
            async with aclosing(self._events.of(self._listening, connection)) as events:
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
            logger.info("inbox_too_slow")


def _event(message: InboxMessage) -> bytes:
    data = _encoder.encode(inbox_views.message(message)).decode()
    return format_sse_event(event="message", id=str(message.number), data_str=data)
