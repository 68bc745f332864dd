"""Replay and discard: first the decision in SQL, then its records in the log, then the note that the log has them.

A crash between any two of these leaves a letter that is `outstanding`; finishing it again writes the same life and the
same events once more, which the ledger and the audit drop where they have them. So nothing that was decided is lost,
and nothing is in the log that was not decided.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from dlq import changes, discard, items, replay, requests
from dlq.items import Item, State
from tocsin.clock import Clock
from tocsin.errors import LogUnavailable
from tocsin.eventlog.port import Publisher
from tocsin.ledger.port import Ledger, Submission
from tocsin.store.engine import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """Done, and durable in the log. `item` is the letter as it is now."""

    item: Item


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """There is no such letter that this tenant may see."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlreadyDecided:
    """Somebody decided before, once and for all."""

    item: Item


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """The letter could not be read or kept, so there is nothing that could be sent again."""

    item: Item


Answer = Decided | Missing | AlreadyDecided | Unreadable
# Tries to change an open letter; False if somebody else was faster.
_Change = Callable[[AsyncConnection, Item], Awaitable[bool]]


class Decisions:
    """Carries out what operators decide. `actor` is the id of the key that asked; `timeout` bounds a write to the log.

    Every method raises StoreUnavailable or LogUnavailable, `replay` LogFull as well: the decision, if it was made,
    stands, and the same call or `finish` carries it out later.
    """

    def __init__(self, *, store: Store, ledger: Ledger, publisher: Publisher, clock: Clock, timeout: timedelta) -> None:
        self._store = store
        self._ledger = ledger
        self._publisher = publisher
        self._clock = clock
        self._timeout = timeout

    async def replay(self, letter_id: str, *, tenant: str, actor: str) -> Answer:
        """Open the delivery's next life, or put a request back where it came from.

        While the letter is `replaying`, a repeat goes on with the same life.
        """
        now = self._clock.now()

        async def begin(connection: AsyncConnection, item: Item) -> bool:
            life = replay.next_life(item)
            return await changes.begin_replay(connection, item, life=life, actor=actor, now=now)

        item = await self._changed(letter_id, tenant, begin, needs_replayable=True)
        if item is None:
            return Missing()
        if item.state is State.OPEN:
            return Unreadable(item=item)
        if item.state is not State.REPLAYING:
            return AlreadyDecided(item=item)
        return await self._finished(item, tenant)

    async def discard(self, letter_id: str, *, tenant: str, actor: str) -> Answer:
        """Give the letter up. A repeat is AlreadyDecided, unless the log has not heard of it yet."""
        now = self._clock.now()

        async def give_up(connection: AsyncConnection, item: Item) -> bool:
            return await changes.discard(connection, item, actor=actor, now=now)

        item = await self._changed(letter_id, tenant, give_up, needs_replayable=False)
        if item is None:
            return Missing()
        if item.state is not State.DISCARDED or item.outstanding_since is None:
            return AlreadyDecided(item=item)
        return await self._finished(item, tenant)

    async def finish(self, item: Item) -> None:
        """Write what a decided letter still owes the log, and note that it is there."""
        if item.state is State.REPLAYING:
            await self._finish_replay(item)
        elif item.state is State.DISCARDED:
            await self._finish_discard(item)

    async def _changed(self, letter_id: str, tenant: str, change: _Change, *, needs_replayable: bool) -> Item | None:
        """Change the letter if it is open, and return what it is afterwards, whoever changed it."""
        async with self._store.write() as connection:
            item = await items.find(connection, letter_id, tenant=tenant)
            if item is None or item.state is not State.OPEN or (needs_replayable and not item.replayable):
                return item
            # Won or lost, the letter is decided now: what it has become is the answer.
            await change(connection, item)
            return await items.find(connection, letter_id, tenant=tenant)

    async def _finished(self, item: Item, tenant: str) -> Answer:
        await self.finish(item)
        async with self._store.read() as connection:
            now = await items.find(connection, item.id, tenant=tenant)
        return Decided(item=now or item)

    async def _finish_replay(self, item: Item) -> None:
        # A life that has ended was in the log, and may be older than what the ledger remembers of forks.
        if item.replay_state is None:
            async with self._store.read() as connection:
                payload = await items.payload(connection, item.id)
            if item.of_request:
                records = requests.replay_records(item, payload)
            else:
                records = replay.records(item, payload, now=self._clock.now())
            await self._in_time(self._ledger.submit([Submission(records=records, answer=b"")]))
        async with self._store.write() as connection:
            await changes.end_replay(connection, item)

    async def _finish_discard(self, item: Item) -> None:
        await self._in_time(self._publisher.write([discard.record(item)]))
        async with self._store.write() as connection:
            await changes.end_discard(connection, item)

    async def _in_time(self, writing: Awaitable[object]) -> None:
        """Wait for the log as long as a client can be made to wait. What is late may land all the same."""
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                await writing
        except TimeoutError:
            raise LogUnavailable("the event log did not answer in time") from None
