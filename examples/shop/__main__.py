"""`python -m examples.shop`: opens the shop, and tells where it is."""

import argparse
import asyncio
import sys
from pathlib import Path

from examples.shop import start
from examples.shop.front import PATHS
from examples.shop.kit.database import DatabaseUnavailable
from examples.shop.kit.settings import ShopSettingsError
from examples.shop.kit.topics import SERVICES
from examples.shop.start import Open, Options
from tocsin.errors import SettingsError, TocsinError

MODULE = "examples.shop"
SETUP = "setup"
_EXAMPLES = """\
examples:
  python -m examples.shop                      all in one process, with nothing else installed
  SHOP_PAYMENTS=off python -m examples.shop    the simple flow: an order goes straight to the stock
  SHOP_TOPIC=shop.events python -m examples.shop
                                               all events on a single topic

each service alone, on Kafka; as many copies of each as you like:
  export TOCSIN__KAFKA__BOOTSTRAP_SERVERS=127.0.0.1:9092 TOCSIN__KAFKA__REPLICATION=1
  export SHOP_ORDERS_DATABASE_URL=postgresql://shop@db/orders
  python -m examples.shop setup                make the topics, and the databases on PostgreSQL
  python -m examples.shop orders --port 8091   /orders, /healthz, /readyz and /metrics on that port
  python -m examples.shop payments inventory shipping --port 8092

Of a database that is a file, give each service one copy. Ctrl-C or SIGTERM drains: within 30 seconds all that was
begun is ended. exit codes: 0 done, 1 failed, 2 usage or settings.
"""


def main(arguments: list[str]) -> int:
    """Run the command; return its exit code."""
    options = parsed(arguments)
    try:
        if options.services == (SETUP,):
            _say(f"There are now: {', '.join(asyncio.run(start.set_up()))}")
        elif options.services:
            start.apart(options, lambda place: _say(_of_some(options, place)))
        else:
            start.whole(options, lambda place: _say(_of_all(options, place)))
    except (TocsinError, ShopSettingsError, DatabaseUnavailable) as error:
        print(f"The shop cannot open: {error}", file=sys.stderr)  # noqa: T201 - a command
        return 2 if isinstance(error, SettingsError | ShopSettingsError) else 1
    return 0


def parsed(arguments: list[str]) -> Options:
    """Return what the arguments say. Exits where they are wrong, and with help."""
    told = _parser().parse_args(arguments)
    return Options(
        services=tuple(told.service),
        host=told.host,
        port=told.port,
        gateway_port=told.gateway_port,
        data=told.data,
        simulators=told.simulators,
        places=dict(told.at),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m {MODULE}",
        description="Open a shop of five small services, whose events Tocsin turns into mails and texts.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    ports = Options()
    parser.add_argument(
        "service",
        nargs="*",
        help=f"one or more of {', '.join((*SERVICES, 'page'))}, on Kafka; none: the whole shop and a gateway",
    )
    parser.add_argument("--host", default=ports.host, help="the address to listen on (%(default)s)")
    parser.add_argument("--port", type=_port, default=ports.port, help="the shop's port (%(default)s)")
    parser.add_argument(
        "--gateway-port", type=_port, default=ports.gateway_port, help="the gateway's port (%(default)s)"
    )
    parser.add_argument(
        "--data", type=Path, default=ports.data, help="the folder of databases and the event log (%(default)s)"
    )
    parser.add_argument(
        "--no-simulators",
        dest="simulators",
        action="store_false",
        help="deliver by the providers of the settings, and not to the simulators",
    )
    parser.add_argument(
        "--at",
        type=_place,
        action="append",
        default=[],
        metavar="SERVICE=URL",
        help="hand on what is asked of a service that runs elsewhere",
    )
    return parser


def _place(text: str) -> tuple[str, str]:
    name, _, url = text.partition("=")
    if name not in PATHS or not url.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError("write it as orders=http://127.0.0.1:8091")
    return name, url


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) <= 65535):  # noqa: PLR2004 - RFC 9293
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535; 0 takes a free one")
    return int(text)


def _of_all(options: Options, place: Open) -> str:
    facts = {
        "page": f"{place.shop}/shop",
        "API": f"{place.shop}/docs",
        "gateway": f"{place.gateway}/docs",
        "key": f"of the gateway: {place.key_file or place.key or 'the one that was made before'}",
        "simulators": place.simulators or "none: the providers of the settings deliver",
        "data": str(options.data),
    }
    return _banner("The shop is open", facts)


def _of_some(options: Options, place: Open) -> str:
    title = f"Open: {', '.join(options.services)}"
    return _banner(title, {"API": f"{place.shop}/docs", "ready": f"{place.shop}/readyz"})


def _banner(title: str, facts: dict[str, str]) -> str:
    rows = "".join(f"  {name:<11} {fact}\n" for name, fact in facts.items())
    return f"\n{title}\n\n{rows}\nCtrl-C closes it.\n"


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a command


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
