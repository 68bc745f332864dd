"""One history makes the tables that the code of the core and of every service means."""

import asyncio
import logging
import re
import tomllib
from collections.abc import Iterator
from contextlib import AsyncExitStack
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, inspect, text

from tocsin.errors import StoreUnavailable
from tocsin.runtime.clock import SystemClock
from tocsin.store import migrate, revisions, tables
from tocsin.store.engine import Store, open_store
from tocsin.store.migrate import check, upgrade
from tocsin.store.suppressions import Suppressions, identity

_PYPROJECT = Path(__file__).parents[3] / "pyproject.toml"
# The ledger's, which are on PostgreSQL only and have no use for SQLAlchemy's tables.
_LEDGER = {"ledger_attempts", "ledger_submits"}
_KEPT = ("api_keys", "suppressions", "notifications")


def _owners() -> Iterator[MetaData]:
    """Yield the tables of the core, and of each service and channel that `pyproject.toml` names."""
    yield tables.metadata
    named = tomllib.loads(_PYPROJECT.read_text())["project"]["entry-points"]
    for place in (*named["tocsin.services"].values(), *named["tocsin.channels"].values()):
        module, _, name = place.partition(":")
        if find_spec(module.partition(".")[0]) is not None and find_spec(module) is not None:
            owned = getattr(import_module(module), name).tables
            if owned is not None:
                yield owned


def _differences(connection: Connection) -> list[object]:
    whole = MetaData()
    for owner in _owners():
        for table in owner.tables.values():
            table.to_metadata(whole)
    options = {"compare_type": True, "include_name": lambda name, *_: name not in _LEDGER}
    context = MigrationContext.configure(connection, opts=options)
    return list(compare_metadata(context, whole))


def _shape(connection: Connection) -> dict[str, list[tuple[str, bool]]]:
    seen = inspect(connection)
    return {
        table: [(column["name"], column["nullable"]) for column in seen.get_columns(table)]
        for table in seen.get_table_names()
        if table != "alembic_version"
    }


def _words(sql: str) -> list[str]:
    """Return the words of a definition in no order: a column that came later stands behind the constraints.

    A table that was made anew by a migration has its name in quotes.
    """
    return sorted(re.findall(r"\w+|[^\w\s,()\"]+", sql))


async def test_the_history_makes_the_tables_that_the_code_means(empty: Store) -> None:
    await upgrade(empty)

    async with empty.read() as connection:
        assert await connection.run_sync(_differences) == []
        made = await connection.run_sync(_shape)
    meant = {
        name: [(column.name, bool(column.nullable)) for column in table.columns]
        for owner in _owners()
        for name, table in owner.tables.items()
    }
    assert {name: columns for name, columns in made.items() if name not in _LEDGER} == meant
    assert made.keys() - meant.keys() == (_LEDGER if empty.dialect == "postgresql" else set())


async def test_partial_indexes_and_tables_without_row_ids_are_migrated_as_they_are_meant(tmp_path: Path) -> None:
    """What `compare_metadata` does not look at."""
    query = text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name <> 'alembic_version'")
    async with open_store(f"sqlite:///{tmp_path / 'migrated.db'}") as store:
        await upgrade(store)
        async with store.read() as connection:
            migrated = {name: _words(sql) for name, sql in await connection.execute(query)}
    async with open_store(f"sqlite:///{tmp_path / 'meant.db'}") as store:
        async with store.write() as connection:
            for owner in _owners():
                await connection.run_sync(owner.create_all)
        async with store.read() as connection:
            meant = {name: _words(sql) for name, sql in await connection.execute(query)}

    assert migrated == meant


async def test_upgrading_twice_changes_nothing_and_is_quiet(
    empty: Store, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    await upgrade(empty)
    async with empty.write() as connection:
        await connection.execute(text("INSERT INTO templates VALUES ('a', '1', '{}', 0)"))
    await upgrade(empty)

    async with empty.read() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM templates")) == 1
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert capfd.readouterr() == ("", "")


async def test_a_migration_that_fails_leaves_nothing_behind(empty: Store) -> None:
    async with empty.write() as connection:
        await connection.execute(text("CREATE TABLE events (id TEXT)"))
    with pytest.raises(StoreUnavailable, match="already exists"):
        await upgrade(empty)

    async with empty.read() as connection:
        assert await connection.run_sync(lambda c: inspect(c).get_table_names()) == ["events"]


async def test_several_processes_may_migrate_at_once(empty_url: str) -> None:
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(open_store(empty_url)) for _ in range(4)]
        if stores[0].dialect == "sqlite":
            stores = stores[:1] * 4  # Only one process opens it.
        await asyncio.gather(*map(upgrade, stores))

        await check(stores[0])


async def test_a_store_of_a_newer_version_is_refused_and_kept(empty: Store) -> None:
    await upgrade(empty)
    async with empty.write() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(StoreUnavailable, match="newer version of Tocsin"):
        await upgrade(empty)
    with pytest.raises(StoreUnavailable, match="revision 9999"):
        await check(empty)


def test_the_newest_revision_is_the_one_that_alembic_finds() -> None:
    assert migrate.head() == ScriptDirectory.from_config(revisions.config()).get_current_head()


async def test_a_store_that_has_everything_is_left_alone(empty: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    await upgrade(empty)
    monkeypatch.delattr(revisions, "apply")

    await upgrade(empty)


async def test_a_store_that_is_not_migrated_is_told_apart(empty: Store) -> None:
    with pytest.raises(StoreUnavailable, match="tocsin migrate"):
        await check(empty)


async def test_text_is_ordered_by_its_bytes_whatever_the_locale_of_the_database(empty: Store) -> None:
    """As ids are compared. The test's PostgreSQL orders text as people do unless it is told otherwise."""
    await upgrade(empty)
    async with empty.write() as connection:
        for name in ("b", "B", "a_", "aa", "_"):
            await connection.execute(text(f"INSERT INTO templates VALUES ('{name}', '1', '', 0)"))
        ordered = list(await connection.scalars(text("SELECT name FROM templates ORDER BY name")))

    assert ordered == ["B", "_", "a_", "aa", "b"]


def _migrated(connection: Connection, revision: str) -> None:
    """Bring the tables to a revision, forwards or back."""
    config = revisions.config()
    config.attributes["connection"] = connection
    newer = MigrationContext.configure(connection).get_current_revision() or ""
    (command.downgrade if newer > revision else command.upgrade)(config, revision)


async def _to(store: Store, revision: str) -> None:
    async with store.migrate() as connection:
        await connection.run_sync(_migrated, revision)


async def test_what_was_there_before_tests_and_categories_stays_what_it_was(empty: Store) -> None:
    row = identity("default", "email", "Ada@example.test")
    await _to(empty, "0005")
    async with empty.write() as connection:
        await connection.execute(text("INSERT INTO api_keys VALUES ('key_1', 'default', 'a', 'h', 'read', 1, NULL)"))
        columns = "id, tenant, channel, address, reason, source, added_at, changed_at"
        values = f"'{row}', 'default', 'email', 'Ada@example.test', 'opt_out', 'smtp', 1, 1"
        await connection.execute(text(f"INSERT INTO suppressions ({columns}) VALUES ({values})"))
        columns = "id, tenant, state, accepted_at"
        await connection.execute(text(f"INSERT INTO notifications ({columns}) VALUES ('ntf_1', 'default', 'dead', 1)"))
    for revision in ("0008", "0005", "0008"):
        await _to(empty, revision)

    async with empty.read() as connection:
        kept = {name: (await connection.execute(text(f"SELECT * FROM {name}"))).mappings().one() for name in _KEPT}
    suppressions = Suppressions(store=empty, clock=SystemClock())
    assert await suppressions.reason("default", "email", "ada@example.test", "newsletter") == "opt_out"
    assert (kept["suppressions"]["address_id"], kept["suppressions"]["category"]) == (row, None)
    assert (kept["api_keys"]["mode"], kept["notifications"]["test"]) == ("live", None)
