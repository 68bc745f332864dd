"""`tocsin migrate`: the store's tables, brought up to date."""

import typer

from tocsin.cli import options, output, world


def migrate(ctx: typer.Context, *, config: options.Config = None) -> None:
    """Bring the store's tables up to date, and end.

    On PostgreSQL this is a step of its own, before the services of a new version start; on SQLite they do it
    themselves. Running it again does nothing.

    \b
    Examples:
      tocsin migrate
      TOCSIN__STORE__URL=postgresql://tocsin@db/tocsin tocsin migrate
    """
    import asyncio  # noqa: PLC0415 -- `tocsin --help` shall not wait for these

    from tocsin.runtime import backends, discover  # noqa: PLC0415
    from tocsin.settings import find, load  # noqa: PLC0415

    environ = world.of(ctx).environ
    settings = load.load(discover.setting_sections(), path=find.find(config, environ), environ=environ)

    asyncio.run(backends.migrate_store(settings))
    output.out().print("The store is up to date.")
