"""The options that commands share, so that they read the same everywhere."""

from pathlib import Path
from typing import Annotated

import typer

MOST_PORT = 65535
_GATEWAY = "The gateway"

Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL",
        help="Where the gateway is; else TOCSIN_URL, else http://127.0.0.1:8080.",
        rich_help_panel=_GATEWAY,
        show_default=False,
    ),
]
Key = Annotated[
    str | None,
    typer.Option(
        "--key",
        metavar="KEY",
        help="The API key. Better in TOCSIN_KEY or a file: others on this machine can see a command line.",
        rich_help_panel=_GATEWAY,
        show_default=False,
    ),
]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        "--key-file",
        metavar="FILE",
        help="A file that holds the API key.",
        rich_help_panel=_GATEWAY,
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON only, for programs.")]
Limit = Annotated[int, typer.Option(min=1, max=200, help="How many at most.")]
Cursor = Annotated[str | None, typer.Option(help="Where the list before ended.", show_default=False)]
Config = Annotated[
    str | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="The settings file; else TOCSIN_CONFIG, else ./configs/tocsin.toml, else the packaged one.",
        show_default=False,
    ),
]
