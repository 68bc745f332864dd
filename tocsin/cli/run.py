"""`tocsin run`: some of the services in this process, or in several, beside others elsewhere."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from tocsin.cli import options, output, up
from tocsin.cli.failures import Misused

if TYPE_CHECKING:
    from tocsin.runtime.gateway import Started


def run(
    services: Annotated[
        list[str], typer.Argument(metavar="SERVICE…", help="producer, channel NAME, dlq, audit: one or more of them.")
    ],
    *,
    processes: Annotated[
        int,
        typer.Option(
            "--processes",
            min=1,
            max=256,
            metavar="N",
            help="So many processes; each has the next port.",
            show_default=True,
        ),
    ] = 1,
    config: options.Config = None,
    host: Annotated[
        str | None, typer.Option(metavar="HOST", help="The address to listen on.", show_default=False)
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="The port to listen on; 0 takes a free one.", show_default=False),
    ] = None,
) -> None:
    """Run some of the services, on Kafka and PostgreSQL.

    Each process serves /healthz, /readyz and /metrics on its port, and the API of the services in it. Any number of
    processes of each kind share the work. A service that must be there but once does not exist.

    \b
    Examples:
      tocsin run producer dlq audit                the API, on one port
      tocsin run channel email --port 8081
      tocsin run channel email --processes 4 --port 8081
    """
    if processes > 1:
        _several(services, processes, config=config, host=host, port=port)
        return
    from tocsin.runtime import gateway  # noqa: PLC0415 -- it loads every service

    chosen = gateway.UpOptions(services=tuple(services), config=config, host=host, port=port)

    def tell(started: "Started") -> None:
        output.out().print(up.banner(started), soft_wrap=True)

    raise typer.Exit(gateway.up(chosen, tell))


def _several(services: list[str], count: int, *, config: str | None, host: str | None, port: int | None) -> None:
    import asyncio  # noqa: PLC0415 -- `tocsin --help` shall not wait for these

    from tocsin.observe import logs  # noqa: PLC0415
    from tocsin.runtime import processes  # noqa: PLC0415

    if port is None:
        raise Misused("--processes needs --port: the port of the first process (each other has the next), or 0")
    if port and port + count - 1 > options.MOST_PORT:
        raise Misused(f"--processes {count} from port {port} on needs ports above {options.MOST_PORT}")

    def arguments(number: int) -> list[str]:
        more = [] if config is None else ["--config", config]
        more += [] if host is None else ["--host", host]
        return ["run", *services, *more, "--port", str(port + number if port else 0)]

    # What this process says stands between the lines of the others.
    logs.configure(level="INFO", format="auto", stream=sys.stderr)
    asyncio.run(processes.run([arguments(number) for number in range(count)]))
