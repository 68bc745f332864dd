"""How replays end: a reader of the audit that notes the terminal event of every life that a dead letter opened.

The life's number is on the letter before anything of that life is in the log, so the event never comes too early.
"""

from collections.abc import Sequence

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from dlq import changes
from tocsin import lifecycle
from tocsin.record import Received, header

_ENDINGS = {lifecycle.ending(state).encode(): state for state in lifecycle.State if state.terminal}


class _Told(msgspec.Struct, frozen=True, kw_only=True):
    """What of an event says whose end it is."""

    delivery_id: str | None = None
    life: int | None = None


_decode = msgspec.json.Decoder(_Told).decode


class FollowupSink:
    """Writes `replay_state`."""

    name = "dlq.followup"

    def wants(self, received: Received) -> bool:
        """Only the ends of lives that a replay opened."""
        return _ending(received) is not None

    async def write(self, connection: AsyncConnection, batch: Sequence[Received]) -> None:
        """Note the ends of replayed lives among these events."""
        for received in batch:
            if (ending := _ending(received)) is not None:
                delivery_id, life, state = ending
                await changes.note_end(connection, delivery_id=delivery_id, life=life, state=state)


def _ending(received: Received) -> tuple[str, int, lifecycle.State] | None:
    """Return a life's end, where a replay opened that life. What is no event of ours is left to the audit."""
    # Most events are of other types: their bodies are not even looked at.
    state = _ENDINGS.get(header(received.headers, "ce_type") or b"")
    if state is None:
        return None
    try:
        told = _decode(received.value)
    except (ValueError, RecursionError):
        return None
    return (told.delivery_id, told.life, state) if told.delivery_id is not None and told.life else None
