"""`tocsin config`: what the settings are, where each comes from, and whether they are right."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from tocsin.cli import options, output, world

if TYPE_CHECKING:
    from tocsin.settings.values import Settings


def check(ctx: typer.Context, config: options.Config = None, as_json: options.AsJson = False) -> None:
    """Check the settings, and tell every mistake with its place. Exit code 2 if there is any.

    \b
    Examples:
      tocsin config check
      tocsin config check --config /etc/tocsin/tocsin.toml
    """
    path, settings = _loaded(ctx, config)
    origins = {settings.origin(name) for name in settings.flat()}
    variables = sorted(origin.removeprefix("environment ") for origin in origins if origin.startswith("environment "))
    if as_json:
        output.json({"ok": True, "file": None if path is None else str(path), "environment": variables})
        return
    sources = [f"file {path}" if path else "no file", *(f"environment {name}" for name in variables)]
    output.out().print(output.plain(f"OK: {', '.join(sources)}"), soft_wrap=True)


def show(ctx: typer.Context, *, config: options.Config = None, as_json: options.AsJson = False) -> None:
    """Show every setting with its value and where that comes from. Secrets are masked.

    \b
    Examples:
      tocsin config show
      tocsin config show --json | jq '."http.port".value'
    """
    _, settings = _loaded(ctx, config)
    rows = [(name, value, settings.origin(name)) for name, value in settings.flat().items()]
    if as_json:
        output.json({name: {"value": value, "origin": origin} for name, value, origin in rows})
    else:
        _print(rows)


def _loaded(ctx: typer.Context, config: str | None) -> "tuple[Path | None, Settings]":
    """Return the settings and their file. Raises SettingsError with all that is wrong."""
    from tocsin.runtime import discover  # noqa: PLC0415 -- it loads every service to know the sections
    from tocsin.settings import find, load  # noqa: PLC0415

    environ = world.of(ctx).environ
    path = find.find(config, environ)
    return path, load.load(discover.setting_sections(), path=path, environ=environ)


def _print(rows: Iterable[tuple[str, object, str]]) -> None:
    table = output.table("KEY", "VALUE", "FROM")
    for name, value, origin in rows:
        table.add_row(output.plain(name), output.plain(_toml(value)), output.plain(origin))
    output.out().print(table)


def _toml(value: object) -> str:
    """Return a value much as it would be written in the file."""
    import msgspec  # noqa: PLC0415

    return msgspec.json.encode(value).decode()
