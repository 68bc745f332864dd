"""The revisions of the store's tables, as Alembic applies them."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection

from tocsin.errors import StoreUnavailable

_SCRIPTS = Path(__file__).with_name("migrations")


def config() -> Config:
    """Return what Alembic has to know."""
    found = Config()
    found.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    return found


def apply(connection: Connection) -> None:
    """Apply every revision that is missing, in the connection's transaction. Raises StoreUnavailable."""
    given = config()
    given.attributes["connection"] = connection
    try:
        command.upgrade(given, "head")
    except CommandError as error:
        raise StoreUnavailable(
            f"the store was made by a newer version of Tocsin; use that version ({error})"
        ) from error
