"""What the command line asks for. Every amount is bounded: by a count, and by `limit` seconds a phase."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.backends import Log

BATCH = 100
_FULL, _QUICK = 20_000, 4_000
_RESULTS = Path(__file__).parent / "results" / "latest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What to measure. `celery_count` 0 leaves Celery out, `waiting` 0 the memory of what waits."""

    count: int
    log: Log
    processes: int
    celery_count: int
    runs: int
    connections: int
    rate: int
    seconds: int
    waiting: int
    growth: bool
    records: int
    profile: bool
    limit: float
    results: Path


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Return the options, or exit with what is wrong with them."""
    given = _parser().parse_args(arguments)
    count = given.count or (_QUICK if given.quick else _FULL)
    return Options(
        count=_in_batches(count),
        log=given.log,
        processes=given.processes,
        celery_count=count if given.celery_count is None else given.celery_count,
        runs=given.runs or (1 if given.quick else 3),
        connections=given.connections,
        rate=given.rate,
        seconds=given.seconds or (5 if given.quick else 15),
        waiting=_in_batches((0 if given.quick else 100_000) if given.waiting is None else given.waiting),
        growth=given.growth,
        records=given.records,
        profile=given.profile,
        limit=given.limit,
        results=given.results,
    )


def _in_batches(count: int) -> int:
    """Return the count, rounded so that half of it is whole batches."""
    return count // (2 * BATCH) * (2 * BATCH)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add = parser.add_argument
    add("--quick", action="store_true", help=f"{_QUICK} mails, one run, short latencies, no waiting deliveries")
    add("--count", type=int, metavar="N", help=f"mails in a run (default {_FULL})")
    add("--log", choices=("embedded", "kafka"), default="embedded", help="the event log; kafka has PostgreSQL with it")
    add(
        "--processes",
        type=int,
        default=0,
        metavar="N",
        help="on kafka: so many processes deliver (default: one does all)",
    )
    add("--celery-count", type=int, metavar="N", help="mails in a run of Celery (default: as many); 0: no Celery")
    add("--runs", type=int, metavar="N", help="runs of which the median counts (default 3)")
    add("--connections", type=int, default=32, metavar="N", help="keep-alive connections of the client (default 32)")
    add("--rate", type=int, default=200, metavar="N", help="mails a second where latency is measured (default 200)")
    add("--seconds", type=int, metavar="N", help="how long latency is measured, after a warm-up of 5 (default 15)")
    add("--waiting", type=int, metavar="N", help="deliveries in the retry tiers (default 100000); 0: leave it out")
    add("--growth", action="store_true", help="measure only the rate over an empty and over a long log")
    add("--records", type=int, default=1_000_000, metavar="N", help="records in the long log (default 1000000)")
    add("--profile", action="store_true", help="only run py-spy on the gateway while it delivers")
    add("--limit", type=float, default=600, metavar="SECONDS", help="the most that one phase may take (default 600)")
    add("--results", type=Path, default=_RESULTS, metavar="FILE", help="where the figures go")
    return parser
