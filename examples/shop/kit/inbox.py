"""Taking events: each once, and each at its time, decided in the transaction of the change.

A service's reaction looks at the state of the order alone. It says whether an event was applied, means nothing (any
more), or came before its step; then the event waits in the database till another one has brought the order on.
"""

from enum import StrEnum
from typing import Protocol

import msgspec
from sqlalchemy import delete, insert, select

from examples.shop.kit import tables
from examples.shop.kit.database import upsert
from examples.shop.kit.events import Event
from examples.shop.kit.unit import Unit


class Result(StrEnum):
    """What became of an event."""

    APPLIED = "applied"
    IGNORED = "ignored"
    EARLY = "early"
    REPEATED = "repeated"


class Reaction(Protocol):
    """How a service answers events. `types` are those that it hears of."""

    @property
    def types(self) -> frozenset[str]: ...

    async def react(self, unit: Unit, event: Event) -> Result:
        """Change what the event changes, and emit what follows from it, in this unit of work.

        Lock the state of the event's subject before looking at it. May be called with any event of these types, in any
        order; with EARLY nothing is changed, and the same event comes again when the subject's state has moved.
        """


async def take(unit: Unit, event: Event, reaction: Reaction) -> Result:
    """Take an event in, and with it those that have waited for it. An event that was taken before does nothing."""
    first = upsert(unit.connection, tables.inbox).on_conflict_do_nothing()
    row = {"source": event.source, "event_id": event.id, "taken_at_ms": unit.now_ms}
    if not (await unit.connection.execute(first.values(row))).rowcount:
        return Result.REPEATED
    result = await reaction.react(unit, event)
    if result is Result.EARLY:
        kept = {"subject": event.subject, "event": msgspec.json.encode(event)}
        await unit.connection.execute(insert(tables.waiting), kept)
    elif result is Result.APPLIED:
        await take_up(unit, event.subject, reaction)
    return result


async def take_up(unit: Unit, subject: str, reaction: Reaction) -> None:
    """Take in what has waited for a subject: its state has moved. Its lock is held."""
    while await _taken_up(unit, subject, reaction):
        pass


async def _taken_up(unit: Unit, subject: str, reaction: Reaction) -> bool:
    """Offer the events that wait for a subject once more; return whether one of them was applied."""
    waiting = tables.waiting
    query = select(waiting.c.number, waiting.c.event).where(waiting.c.subject == subject).order_by(waiting.c.number)
    for number, kept in (await unit.connection.execute(query)).all():
        result = await reaction.react(unit, msgspec.json.decode(kept, type=Event))
        if result is not Result.EARLY:
            await unit.connection.execute(delete(waiting).where(waiting.c.number == number))
        if result is Result.APPLIED:
            return True
    return False
