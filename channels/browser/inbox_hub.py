"""Who is connected to which inbox, and is woken when something was put into it.

What this process puts there wakes at once. Where other processes may put something, one query a second asks for all
inboxes that anybody is connected to.
"""

import asyncio
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from loguru import logger

from channels.browser.inbox import Inboxes
from channels.browser.inbox_message import Owner
from tocsin.clock import Clock
from tocsin.consume.stopping import Stop
from tocsin.errors import StoreUnavailable

_EVERY = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """How many connections there may be at a time."""

    of_inbox: int
    of_process: int


@dataclass(slots=True, kw_only=True, eq=False)
class Connection:
    """One page that listens. `woken` is set when there may be something new, or when it is to end."""

    owner: Owner
    woken: asyncio.Event = field(default_factory=asyncio.Event)


class Hub:
    """The connections of this process. Fulfils `consume.loop.Loop`: the loop looks for what others have put there.

    `alone`: no other process can, so there is nothing to look for.
    """

    name = "browser.inbox"

    def __init__(self, inboxes: Inboxes, *, caps: Caps, clock: Clock, alone: bool) -> None:
        self._inboxes = inboxes
        self._caps = caps
        self._clock = clock
        self._alone = alone
        self._stop = Stop(clock)
        self._of: dict[Owner, set[Connection]] = {}
        self._count = 0
        # The newest number seen of each inbox that somebody is connected to.
        self._seen: dict[Owner, int] = {}
        self._unread = False
        self.closing = False

    def room_for(self, owner: Owner) -> bool:
        """Return whether one more page may listen to this inbox."""
        return self._count < self._caps.of_process and len(self._of.get(owner, ())) < self._caps.of_inbox

    @contextmanager
    def connected(self, owner: Owner) -> Iterator[Connection]:
        """Be connected for as long as the block runs."""
        connection = Connection(owner=owner)
        self._of.setdefault(owner, set()).add(connection)
        self._count += 1
        try:
            yield connection
        finally:
            self._count -= 1
            self._of[owner].discard(connection)
            if not self._of[owner]:
                del self._of[owner]
                self._seen.pop(owner, None)

    def written(self, about: Hashable) -> None:
        """Wake those who are connected to an inbox (its `Owner`). Fulfils `Wake`."""
        for connection in self._of.get(about, ()):  # type: ignore[call-overload]  # anything that is no owner has none
            connection.woken.set()

    def close(self, _about: Hashable = None) -> None:
        """Have all connections end, and let nobody in any more. Fulfils `Wake`."""
        self.closing = True
        for connections in self._of.values():
            for connection in connections:
                connection.woken.set()

    def stop(self) -> None:
        """See `Loop`."""
        self.close()
        self._stop.request()

    async def run(self) -> None:
        """See `Loop`."""
        await self._stop.repeat(self._look, every=_EVERY)

    async def _look(self) -> None:
        if self._alone or not self._of:
            return
        try:
            found = await self._inboxes.newest(sorted(self._of))
        except StoreUnavailable as error:
            if not self._unread:
                logger.warning("inboxes_not_read", error=str(error))
            self._unread = True
            return
        self._unread = False
        for owner, newest in found.items():
            if owner in self._of and newest > self._seen.get(owner, -1):
                self._seen[owner] = newest
                self.written(owner)
