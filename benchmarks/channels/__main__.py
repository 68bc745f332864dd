"""`python -m benchmarks.channels`: every contest in one run, and a table of what came out."""

import argparse
import signal
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from benchmarks import procfs, report, say
from benchmarks.channels import race
from benchmarks.channels.contests import CONTESTS
from benchmarks.channels.race import Result
from benchmarks.children import Children, Failed

_RESULTS = Path(__file__).parent.parent / "results" / "channels.json"
_FULL, _QUICK = 2_000, 500


def main() -> int:
    """Run the contests; return the exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    given = _parser().parse_args()
    names = given.only or list(CONTESTS)
    count, runs = given.count or (_QUICK if given.quick else _FULL), given.runs or (1 if given.quick else 3)
    neighbours = procfs.Neighbours()
    found: dict[str, Result] = {}
    try:
        with TemporaryDirectory(prefix="tocsin-bench-") as directory:
            machine = procfs.machine(Path(directory))
            for name in names:
                say.step(f"{name}: {count:,} messages a side, {runs} times")
                with Children(_room(directory, name)) as children:
                    found[name] = race.run(name, CONTESTS[name], children, count=count, runs=runs, limit=given.limit)
    except Failed as failure:
        say.line(f"\n{failure}")
        return 1
    except KeyboardInterrupt:
        say.line("\nstopped")
        return 130
    others = round(neighbours.cores(), 2)
    _tell(found, others)
    if given.results or len(found) == len(CONTESTS):
        about = {
            "date": datetime.now(UTC).date().isoformat(),
            "machine": machine,
            "count": count,
            "runs": runs,
            "others_cores": others,
        }
        report.write({**msgspec.to_builtins(found), **about}, given.results or _RESULTS)
    return 0


def _room(directory: str, name: str) -> Path:
    room = Path(directory) / name
    room.mkdir()
    return room


def _tell(found: Mapping[str, Result], others_cores: float) -> None:
    say.line()
    say.line(f"{'CPU us a message':16} {'ours':>10} {'theirs':>10} {'ratio':>8} {'goal':>6}")
    for name, result in found.items():
        missed = "" if result.ratio >= result.goal else ", missed"
        others = "".join(f"; {ratio} to {peer}" for peer, ratio in result.others.items())
        say.line(
            f"{name:16} {result.ours_cpu_us:>10,.0f} {result.peer_cpu_us:>10,.0f} {result.ratio:>8.2f} "
            f"{result.goal:>6.1f}  {result.peer}{missed}{others}"
        )
    say.line(f"cores that others used, our servers aside: {others_cores}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.channels", description=__doc__)
    add = parser.add_argument
    add("--quick", action="store_true", help=f"{_QUICK} messages a side, one run")
    add("--count", type=int, metavar="N", help=f"messages a side in a run (default {_FULL})")
    add("--runs", type=int, metavar="N", help="runs of which the median counts (default 3)")
    add("--only", action="append", choices=tuple(CONTESTS), help="this channel; may be given several times")
    add("--limit", type=float, default=120, metavar="SECONDS", help="the most that one side may take (default 120)")
    add("--results", type=Path, metavar="FILE", help="where the figures go (default: beside the others, if all ran)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
