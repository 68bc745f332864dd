"""The migration makes the tables that the code means."""

import importlib

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import create_engine, inspect

from dlq import items

_REVISION = "tocsin.store.migrations.versions.0002_dead_letters"


def test_the_migration_makes_the_table() -> None:
    revision = importlib.import_module(_REVISION)
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        with Operations.context(context):
            revision.upgrade()
        assert compare_metadata(context, items.metadata) == []
        made = inspect(connection).get_columns("dead_letters")
        assert [(column["name"], column["nullable"]) for column in made] == [
            (column.name, column.nullable) for column in items.dead_letters.columns
        ]
        with Operations.context(context):
            revision.downgrade()
        assert inspect(connection).get_table_names() == []
    engine.dispose()
