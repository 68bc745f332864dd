"""Makes the shop's databases on PostgreSQL. Files are made by whoever opens them; tables by their services."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from examples.shop.kit.database import DatabaseUnavailable
from examples.shop.kit.settings import ShopSettingsError

_POSTGRES = frozenset({"postgresql", "postgres"})
# Every server has it, and whoever may make databases may connect to it.
_THERE = "postgres"
_NAME = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_")


async def databases(urls: Iterable[str]) -> list[str]:
    """Make the databases of these URLs where they are missing; return their names. URLs of files are passed over.

    Raises ShopSettingsError for a name that is more than a-z 0-9 _, DatabaseUnavailable.
    """
    servers = [url for url in urls if urlsplit(url).scheme in _POSTGRES]
    return [await _made(url) for url in servers]


async def _made(url: str) -> str:
    name = urlsplit(url).path.lstrip("/")
    if not name or not _NAME.issuperset(name):
        raise ShopSettingsError("the name of a database in a URL must be of a-z, 0-9 and _")
    engine = create_async_engine(
        "postgresql+asyncpg://",
        connect_args={"dsn": url, "database": _THERE},
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
    )
    try:
        async with engine.connect() as connection:
            found = await connection.scalar(text("SELECT true FROM pg_database WHERE datname = :name"), {"name": name})
            if not found:
                await connection.execute(text(f'CREATE DATABASE "{name}"'))
    except (DBAPIError, OSError) as error:
        raise DatabaseUnavailable(f"the database {name} cannot be made: {type(error).__name__}") from error
    finally:
        await engine.dispose()
    return name
