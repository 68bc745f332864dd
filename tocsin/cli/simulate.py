"""`tocsin simulate`: the simulators on their own, for gateways that run elsewhere."""

from collections.abc import Mapping
from typing import Annotated

import typer

from tocsin.cli import options, output


def simulate(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help="Which simulators, such as smtp; all of them if none is named."),
    ] = None,
    *,
    host: Annotated[
        str, typer.Option(metavar="HOST", help="The address that they and their control listen on.", show_default=True)
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(
            min=0, max=options.MOST_PORT, help="The port of their control; 0 takes a free one.", show_default=True
        ),
    ] = 8190,
) -> None:
    """Run the simulators: providers that take what is sent to them, show it, and fail as they are told.

    Nothing that they are given leaves them. Whoever reaches them can read it, so they listen on this machine only
    unless --host says otherwise.

    \b
    Examples:
      tocsin simulate                     all of them; `tocsin up --demo` has them built in
      tocsin simulate smtp --port 0
      tocsin simulate --host 0.0.0.0      in a container
    """
    from tocsin.runtime import simulating  # noqa: PLC0415 -- it loads the simulators' servers

    def tell(pages: Mapping[str, str]) -> None:
        output.out().print(output.facts(*((f"simulator {name}", page) for name, page in pages.items())))
        output.note("Ctrl-C stops.")

    simulating.simulate(names or [], host=host, port=port, on_started=tell)
