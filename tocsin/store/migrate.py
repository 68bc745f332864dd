"""Brings the store's tables up to date."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection

from tocsin.errors import StoreUnavailable
from tocsin.store.engine import Store

_SCRIPTS = Path(__file__).with_name("migrations")


async def upgrade(store: Store) -> None:
    """Apply every revision that the store does not have yet, all or none of them.

    Several processes may do so at once: one does it, and the others wait and find it done. Raises StoreUnavailable,
    also for a store that a newer Tocsin has migrated.
    """
    async with store.migrate() as connection:
        await connection.run_sync(_upgrade)


async def check(store: Store) -> None:
    """Make sure that the store has every revision. Raises StoreUnavailable, which says what to do."""
    async with store.read() as connection:
        found = await connection.run_sync(_revision)
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if found != head:
        raise StoreUnavailable(
            f"the store is at revision {found or 'none'}, and this version of Tocsin needs {head}; "
            "run `tocsin migrate`, or a version of Tocsin that is as new as the store"
        )


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    return config


def _upgrade(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise StoreUnavailable(
            f"the store was made by a newer version of Tocsin; use that version ({error})"
        ) from error
