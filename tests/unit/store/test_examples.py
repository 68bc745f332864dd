"""The examples for databases are settings, and lead to an engine that means what they say."""

from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tocsin.runtime.discover import setting_sections
from tocsin.settings import sections
from tocsin.settings.load import load
from tocsin.store import postgres
from tocsin.store.postgres import PostgresConfig

FOLDER = Path(__file__).parents[3] / "configs" / "database"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.toml")), ids=lambda path: path.stem)
async def test_an_example_is_taken(path: Path) -> None:
    store = load(setting_sections(), path=path, environ={}).section("store", sections.Store)
    config = PostgresConfig(
        write_connections=store.write_connections,
        read_connections=store.read_connections,
        connect_timeout=timedelta(seconds=store.connect_timeout_seconds),
        command_timeout=timedelta(seconds=store.command_timeout_seconds),
        prepared_statements=store.prepared_statements,
    )

    assert postgres.meant(store.url)
    assert (urlsplit(store.url).port == 6543) == (not store.prepared_statements)
    made = postgres.engines(store.url, config)
    for engine in (made.writer, made.reader, made.owner):
        await engine.dispose()


def test_there_is_one_for_each_way_to_have_a_database() -> None:
    assert [path.stem for path in sorted(FOLDER.glob("*.toml"))] == ["postgresql", "supabase"]
