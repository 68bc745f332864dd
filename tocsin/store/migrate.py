"""Brings the store's tables up to date.

Alembic is loaded only if there is something to do: with every dialect that it knows it weighs 11 MB, for good.
"""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from tocsin.errors import StoreUnavailable
from tocsin.store.engine import Store

_VERSIONS = Path(__file__).with_name("migrations") / "versions"
# Alembic's, which keeps in it what the store has.
_TABLE = "alembic_version"


async def upgrade(store: Store) -> None:
    """Apply every revision that the store does not have yet, all or none of them.

    Several processes may do so at once: one does it, and the others wait and find it done. Raises StoreUnavailable,
    also for a store that a newer Tocsin has migrated.
    """
    if await _revision(store) == head():
        return
    from tocsin.store import revisions  # noqa: PLC0415 - see above

    async with store.migrate() as connection:
        await connection.run_sync(revisions.apply)


async def check(store: Store) -> None:
    """Make sure that the store has every revision. Raises StoreUnavailable, which says what to do."""
    found = await _revision(store)
    if found != head():
        raise StoreUnavailable(
            f"the store is at revision {found or 'none'}, and this version of Tocsin needs {head()}; "
            "run `tocsin migrate`, or a version of Tocsin that is as new as the store"
        )


def head() -> str:
    """Return the newest revision that there is: each file of them begins with its number."""
    return max(path.name.partition("_")[0] for path in _VERSIONS.glob("[0-9]*.py"))


async def _revision(store: Store) -> str | None:
    async with store.read() as connection:
        return await connection.run_sync(_read)


def _read(connection: Connection) -> str | None:
    if not inspect(connection).has_table(_TABLE):
        return None
    found: str | None = connection.scalar(text(f"SELECT version_num FROM {_TABLE}"))  # noqa: S608 - a constant
    return found
