"""From a command's options to an open connection. The HTTP client is imported only by commands that need it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from tocsin.cli import access, world

if TYPE_CHECKING:
    from tocsin.cli.client import Gateway


@contextmanager
def connected(ctx: typer.Context, *, url: str | None, key: str | None, key_file: Path | None) -> Iterator["Gateway"]:
    """Open a connection to the gateway that the options name. Raises Misused."""
    from tocsin.cli.client import Gateway  # noqa: PLC0415 -- `tocsin --help` shall not wait for httpx

    here = world.of(ctx)
    found = access.find(url=url, key=key, key_file=key_file, environ=here.environ)
    with Gateway(found, transport=here.transport) as gateway:
        yield gateway
