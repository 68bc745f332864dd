"""Brings the store's tables up to date."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection

from tocsin.errors import StoreUnavailable
from tocsin.store.engine import Store

_SCRIPTS = Path(__file__).with_name("migrations")


async def upgrade(store: Store) -> None:
    """Apply every revision that the store does not have yet, all or none of them.

    Raises StoreUnavailable, also for a store that a newer Tocsin has migrated.
    """
    async with store.write() as connection:
        await connection.run_sync(_upgrade)


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise StoreUnavailable(
            f"the store was made by a newer version of Tocsin; use that version ({error})"
        ) from error
