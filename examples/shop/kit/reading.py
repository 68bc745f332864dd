"""How far a service has read, kept in its own database: offsets move in the transaction of what the events changed."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import case, select
from sqlalchemy.ext.asyncio import AsyncConnection

from examples.shop.kit.database import upsert
from examples.shop.kit.tables import offsets, unreadable
from tocsin.clock import to_ms
from tocsin.record import Partition, Received


async def load(connection: AsyncConnection, reader: str) -> dict[Partition, int]:
    """Return the next offset to read of every partition in which the reader has read."""
    query = select(offsets.c.topic, offsets.c.partition_index, offsets.c.next_offset).where(offsets.c.reader == reader)
    return {Partition(topic, index): offset for topic, index, offset in await connection.execute(query)}


async def advance(connection: AsyncConnection, reader: str, next_offsets: Mapping[Partition, int]) -> None:
    """Keep the next offsets. They never go back: a copy that lost its partition may still come late."""
    statement = upsert(connection, offsets)
    told, kept = statement.excluded.next_offset, offsets.c.next_offset
    forward = statement.on_conflict_do_update(
        index_elements=list(offsets.primary_key), set_={"next_offset": case((told > kept, told), else_=kept)}
    )
    rows = [
        {"reader": reader, "topic": place.topic, "partition_index": place.number, "next_offset": offset}
        for place, offset in sorted(next_offsets.items())
    ]
    await connection.execute(forward, rows)


async def keep_unreadable(
    connection: AsyncConnection, reader: str, received: Received, *, reason: str, now: datetime
) -> None:
    """Keep a record that cannot be taken, as it came; the next one gets its turn."""
    row = {
        "reader": reader,
        "topic": received.topic,
        "partition_index": received.partition,
        "offset": received.offset,
        "value": received.value,
        "reason": reason,
        "at_ms": to_ms(now),
    }
    await connection.execute(upsert(connection, unreadable).values(row).on_conflict_do_nothing())
