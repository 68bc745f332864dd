"""How a dead letter changes: each change compares with what its caller saw, then sets.

Whoever comes second changes nothing, and is told so.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from dlq.items import Item, State, dead_letters
from tocsin import lifecycle
from tocsin.clock import to_ms


async def begin_replay(connection: AsyncConnection, item: Item, *, life: int, actor: str, now: datetime) -> bool:
    """Give the next life its number: open → replaying. Returns False if the letter is no longer open."""
    moment = to_ms(now)
    changes = {"replay_life": life, "replayed_by": actor, "replayed_at": moment, "outstanding_since": moment}
    return await _move(connection, item, State.OPEN, State.REPLAYING, changes)


async def end_replay(connection: AsyncConnection, item: Item) -> bool:
    """Note that the log has the records of the new life: replaying → replayed. Returns False if that is known."""
    return await _move(connection, item, State.REPLAYING, State.REPLAYED, {"outstanding_since": None})


async def discard(connection: AsyncConnection, item: Item, *, actor: str, now: datetime) -> bool:
    """Give the letter up: open → discarded. Returns False if it is no longer open."""
    moment = to_ms(now)
    changes = {"discarded_by": actor, "discarded_at": moment, "outstanding_since": moment}
    return await _move(connection, item, State.OPEN, State.DISCARDED, changes)


async def end_discard(connection: AsyncConnection, item: Item) -> bool:
    """Note that the log has the event of the discard. Returns False if that is known."""
    return await _move(connection, item, State.DISCARDED, State.DISCARDED, {"outstanding_since": None})


async def note_end(connection: AsyncConnection, *, delivery_id: str, life: int, state: lifecycle.State) -> None:
    """Note how a replayed life ended, where a letter opened that life. It ends once, so the first word stands."""
    columns = dead_letters.c
    change = (
        update(dead_letters)
        .where(columns.delivery_id == delivery_id, columns.replay_life == life, columns.replay_state.is_(None))
        .values(replay_state=state)
    )
    await connection.execute(change)


async def _move(connection: AsyncConnection, item: Item, before: State, after: State, changes: dict[str, Any]) -> bool:
    """Change the letter if it is still what the caller saw. The version tells apart two looks at one state."""
    columns = dead_letters.c
    change = (
        update(dead_letters)
        .where(columns.id == item.id, columns.state == before, columns.version == item.version)
        .values(state=after, version=item.version + 1, **changes)
    )
    return (await connection.execute(change)).rowcount == 1
