"""Where a sink stands."""

from tocsin.record import Partition
from tocsin.store import offsets, tables
from tocsin.store.engine import Store

FIRST, SECOND = Partition("notifications.audit", 0), Partition("notifications.audit", 1)


async def test_offsets_go_forward_only_and_each_group_has_its_own(empty: Store) -> None:
    async with empty.write() as connection:
        await connection.run_sync(tables.metadata.create_all)
        await offsets.advance(connection, "one", {FIRST: 5, SECOND: 2})
        await offsets.advance(connection, "one", {FIRST: 3, SECOND: 4})
        await offsets.advance(connection, "two", {FIRST: 1})

    async with empty.read() as connection:
        assert await offsets.load(connection, "one") == {FIRST: 5, SECOND: 4}
        assert await offsets.load(connection, "two") == {FIRST: 1}
        assert await offsets.load(connection, "three") == {}
