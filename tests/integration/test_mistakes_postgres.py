"""What an operator gets wrong about PostgreSQL, and whether the answer says what to do."""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from sqlalchemy import text

from tests.support.postgres import GROUP, Server, connected, databases, empty_database, own_server
from tests.support.processes import Ran, run

pytestmark = GROUP
__all__ = ["databases", "empty_database", "own_server"]

Migrate = Callable[..., Coroutine[Any, Any, Ran]]
PASSWORD = "hunter2 & hunter2"


@pytest.fixture
def migrate(tmp_path: Path) -> Migrate:
    """Return what runs `tocsin migrate` to its end on a URL."""

    async def migrated(url: str, **environment: str) -> Ran:
        ran = await run("migrate", directory=tmp_path, TOCSIN__STORE__URL=url, **environment)
        assert PASSWORD not in ran.out + ran.err
        return ran

    return migrated


async def test_a_password_that_is_refused_says_where_it_is_given(
    migrate: Migrate, own_server: Server, tmp_path: Path
) -> None:
    async with connected(own_server.url) as connection:
        await connection.execute(text(f"ALTER ROLE tocsin PASSWORD '{PASSWORD}'"))
    own_server.lock()
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    right.write_text(f"{PASSWORD}\n")
    wrong.write_text("guess\n")
    url = own_server.url

    for ran in (await migrate(url), await migrate(url, TOCSIN__STORE__PASSWORD_FILE=str(wrong))):
        assert ran.code == 1
        assert 'password authentication failed for user "tocsin"' in ran.err
        assert "store.password_file" in ran.err
    assert (await migrate(url, TOCSIN__STORE__PASSWORD_FILE=str(right))).code == 0


async def test_a_password_has_one_place(migrate: Migrate, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(PASSWORD)
    named = {"TOCSIN__STORE__PASSWORD_FILE": str(tmp_path / "password")}
    both = await migrate("postgresql://tocsin:secret@127.0.0.1/tocsin", **named)
    alone = await migrate("", **named)
    missing = await migrate(
        "postgresql://tocsin@127.0.0.1/tocsin", TOCSIN__STORE__PASSWORD_FILE=str(tmp_path / "nowhere")
    )

    assert (both.code, alone.code, missing.code) == (2, 2, 2)
    assert "keep one of them" in both.err
    assert "secret" not in both.err
    assert "set store.url" in alone.err
    assert "store.password_file" in missing.err
    assert "cannot be read" in missing.err


async def test_a_database_or_a_role_that_is_not_there_is_named(migrate: Migrate, empty_database: str) -> None:
    parts = urlsplit(empty_database)
    database = await migrate(urlunsplit(parts._replace(path="/elsewhere")))
    role = await migrate(urlunsplit(parts._replace(netloc=f"nobody@{parts.netloc.rpartition('@')[2]}")))

    assert (database.code, role.code) == (1, 1)
    assert 'database "elsewhere" does not exist; make it (configs/database/postgresql.toml)' in database.err
    assert 'role "nobody" does not exist; make the role' in role.err


@pytest.mark.parametrize("where", ["127.0.0.1:1", "db.invalid"])
async def test_a_server_that_is_not_there_is_told_with_the_setting(migrate: Migrate, where: str) -> None:
    ran = await migrate(f"postgresql://tocsin@{where}/tocsin")

    assert ran.code == 1
    assert "see store.url, and whether PostgreSQL runs there" in ran.err
