"""`tocsin up`: the whole gateway in this process, and what to tell a person once it serves."""

from typing import TYPE_CHECKING, Annotated
from urllib.parse import urljoin

import typer
from rich.console import Group
from rich.padding import Padding
from rich.text import Text

from tocsin.cli import options, output, tour, world

if TYPE_CHECKING:
    from tocsin.runtime.gateway import Started


def up(
    ctx: typer.Context,
    config: options.Config = None,
    demo: Annotated[bool, typer.Option("--demo", help="Add the simulators, and deliver to them only.")] = False,
    host: Annotated[
        str | None, typer.Option(metavar="HOST", help="The address to listen on.", show_default=False)
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="The port to listen on; 0 takes a free one.", show_default=False),
    ] = None,
) -> None:
    """Run the gateway: everything in one process, with nothing else installed.

    The first start makes an API key and shows it once.

    \b
    Examples:
      tocsin up --demo                try it: all goes to simulators that show it
      tocsin up --config tocsin.toml
      tocsin up --port 9000
    """
    from tocsin.runtime import gateway  # noqa: PLC0415 -- it loads every service

    chosen = gateway.UpOptions(config=config, demo=demo, host=host, port=port)

    def tell(started: "Started") -> None:
        output.out().print(banner(started), soft_wrap=True)
        if demo:
            tour.begin(started, world.of(ctx))

    raise typer.Exit(gateway.up(chosen, tell))


def banner(started: "Started") -> Group:
    """Return what to tell once the gateway serves."""
    facts = output.facts(
        ("API", Text(started.url, style="bold")),
        ("docs", f"{started.url}/docs"),
        ("key", _key(started)),
        ("simulators", urljoin(next(iter(started.simulators.values())), "/") if started.simulators else None),
        ("data", None if started.data_dir is None else str(started.data_dir)),
    )
    title = Text("\nTocsin is up\n", style="bold green")
    return Group(title, Padding(facts, (0, 0, 0, 2), expand=False), Text(), *_hints(started))


def _key(started: "Started") -> Text | None:
    """Return the key, if it is to be shown. It stands alone on its line, so that it can be copied."""
    if started.key is None:
        return None
    return Text(output.plain(started.key), style="bold")


def _hints(started: "Started") -> list[Text]:
    lines = []
    if started.key is None:
        lines.append("Use a key that was made before; `tocsin keys create` makes others.")
    elif started.key_file is not None:
        lines.append(f"The demo keeps its key: in another terminal, --key-file {started.key_file}")
    elif started.key_is_new:
        lines.append("The key is shown this once: keep it now, for instance in TOCSIN_KEY.")
    lines.append("Ctrl-C stops.\n")
    return [Text(line, style="dim") for line in lines]
