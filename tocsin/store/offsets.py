"""Where each SQL sink stands in each partition, kept beside its rows so that the two cannot part."""

from collections.abc import Mapping

from sqlalchemy import case, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tocsin.record import Partition
from tocsin.store import upsert
from tocsin.store.tables import consumer_offsets


async def load(connection: AsyncConnection, group: str) -> dict[Partition, int]:
    """Return the next offset to read of every partition that the group has kept one for."""
    columns = consumer_offsets.c
    query = select(columns.topic, columns.partition_index, columns.next_offset).where(columns.consumer_group == group)
    return {Partition(topic, index): offset for topic, index, offset in await connection.execute(query)}


async def advance(connection: AsyncConnection, group: str, next_offsets: Mapping[Partition, int]) -> None:
    """Keep the group's next offsets. They never go back: a member that lost its partition may still come late."""
    statement = upsert.insert(connection, consumer_offsets)
    told, kept = statement.excluded.next_offset, consumer_offsets.c.next_offset
    forward = statement.on_conflict_do_update(
        index_elements=list(consumer_offsets.primary_key), set_={"next_offset": case((told > kept, told), else_=kept)}
    )
    await connection.execute(forward, [_row(group, *item) for item in sorted(next_offsets.items())])


def _row(group: str, partition: Partition, offset: int) -> dict[str, object]:
    return {
        "consumer_group": group,
        "topic": partition.topic,
        "partition_index": partition.number,
        "next_offset": offset,
    }
