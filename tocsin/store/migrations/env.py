"""Run by Alembic for every command, with the connection that `tocsin.store.migrate` put into the configuration.

One transaction for all revisions, which is the caller's: either the store is migrated or it is as it was.
"""

from alembic import context


def _run() -> None:
    context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()


_run()
