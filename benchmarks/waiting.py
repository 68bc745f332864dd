"""What the gateway weighs while many deliveries wait in the retry tiers: a sink refuses every recipient for now."""

import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import gateway, load_runs, procfs, say, sinks
from benchmarks.children import Children, until
from benchmarks.gateway import Gateway
from benchmarks.options import Options

_SAMPLE_SECONDS = 10
_REPORT_EVERY = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Memory in MB: the most while all of them waited, and the most ever, which has the submits in it."""

    rss_mb: float
    peak_mb: float


def run(options: Options, directory: Path) -> Waiting:
    """Fill the tiers and look. Raises Failed."""
    with TemporaryDirectory(dir=directory, prefix="waiting-") as own, Children(Path(own)) as children:
        sink = sinks.own(children, "refuse")
        with gateway.serving(Path(own), Path(own) / "data", smtp_port=sink.port) as serving:
            submitted = load_runs.batches(children, serving, first=0, count=options.waiting, limit=options.limit)
            say.step(f"{options.waiting:,} submitted at {submitted.rate:,.0f}/s; each is refused for now")
            until(_all_waiting(serving, options.waiting), serving.child, within=options.limit, every=1)
            found = Waiting(rss_mb=_most(serving), peak_mb=procfs.peak_mb(serving.child.pid))
    say.step(f"{options.waiting:,} wait: RSS {found.rss_mb:.0f} MB, peak since the start {found.peak_mb:.0f} MB")
    return found


class _all_waiting:  # noqa: N801 - a condition that tells how far it is
    def __init__(self, serving: Gateway, count: int) -> None:
        self._serving = serving
        self._count = count
        self._told = time.monotonic()

    def __call__(self) -> bool:
        retrying = self._serving.counts().retrying
        if time.monotonic() - self._told > _REPORT_EVERY:
            self._told = time.monotonic()
            say.step(f"{retrying:,} of {self._count:,} wait")
        return retrying >= self._count


def _most(serving: Gateway) -> float:
    """Return the most memory of some seconds."""
    samples = []
    for _ in range(_SAMPLE_SECONDS):
        samples.append(procfs.rss_mb(serving.child.pid))
        time.sleep(1)
    return max(samples)
