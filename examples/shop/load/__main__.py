"""`python -m examples.shop.load`: loads the shop, kills its processes, and prints the sums."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from examples.shop.kit.database import DatabaseUnavailable
from examples.shop.kit.settings import ShopSettingsError
from examples.shop.load.ordeal import Endured, Options, endured
from examples.shop.load.processes import Failed
from examples.shop.load.traffic import Refused
from tocsin.errors import TocsinError

_EXAMPLES = """\
examples:
  python -m examples.shop.load                        1,000 orders; the one process is killed and started again
  python -m examples.shop.load --orders 100 --kills 2
  SHOP_TOPIC=shop.events python -m examples.shop.load all events on a single topic

each service in a process of its own, on a Kafka and a PostgreSQL that are started for it:
  python -m tests.support.cluster python -m examples.shop.load --log kafka --copies 2

on a Kafka and a PostgreSQL of yours, with nothing on the shop's topics yet (TOCSIN__KAFKA__BOOTSTRAP_SERVERS,
TOCSIN__STORE__URL): first `tocsin topics apply` and `tocsin migrate`.

exit codes: 0 all sums are right, 1 one is off, 2 usage or settings.
"""


def main(arguments: list[str]) -> int:
    """Run the command; return its exit code."""
    told = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="tocsin-shop-") as folder:
        data = told.data or Path(folder)
        if data.exists() and any(data.iterdir()):
            print(f"{data} is not empty: the sums are of one load", file=sys.stderr)  # noqa: T201 - a command
            return 2
        data.mkdir(parents=True, exist_ok=True)
        options = Options(
            log=told.log,
            orders=told.orders,
            kills=told.kills,
            data=data,
            copies=told.copies if told.log == "kafka" else 1,
            seed=told.seed,
            seconds=told.seconds,
        )
        try:
            found = asyncio.run(endured(options, _say))
        except (Failed, Refused, TocsinError, ShopSettingsError, DatabaseUnavailable) as error:
            print(f"The load could not be carried out: {error}", file=sys.stderr)  # noqa: T201 - a command
            return 2 if isinstance(error, ShopSettingsError) else 1
    _say(_report(found, told.orders))
    return 0 if found.right else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m examples.shop.load",
        description="Load the shop with orders, some of them doomed, kill its processes, and check the sums.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--log", choices=("embedded", "kafka"), default="embedded", help="(%(default)s)")
    parser.add_argument("--orders", type=_count, default=1000, help="how many, all at once (%(default)s)")
    parser.add_argument("--kills", type=_count, default=6, help="how many times a process is killed (%(default)s)")
    parser.add_argument("--copies", type=_count, default=1, help="of each service, on Kafka (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="another one shuffles the orders differently")
    parser.add_argument("--seconds", type=_count, default=300, help="how long to wait for the end (%(default)s)")
    parser.add_argument("--data", type=Path, help="an empty folder for databases and logs, which is kept")
    return parser


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) <= 100_000):  # noqa: PLR2004 - a bound of reason
        raise argparse.ArgumentTypeError("a number from 1 to 100000")
    return int(text)


def _report(found: Endured, orders: int) -> str:
    lines = "\n".join(each.line() for each in found.sums)
    wrong = sum(not each.right for each in found.sums)
    end = "all sums are right" if found.right else f"{wrong} sums are wrong" if wrong else "it did not come to rest"
    return f"\n{lines}\n\n{orders} orders, {found.kills} processes killed: {end}."


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a command


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
