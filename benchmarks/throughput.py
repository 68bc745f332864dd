"""The whole job on Tocsin: submit, deliver, and every audit row in SQL."""

import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import gateway, load_runs, procfs, say
from benchmarks.children import Children, Failed, until
from benchmarks.gateway import Gateway
from benchmarks.options import Options

# Accepted, attempted, delivered.
EVENTS = 3
# Little, for all the time until then counts; whether all is there is looked at when it should be.
_POLL = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What one run came to. Rates are notifications a second; `cpu_us` is CPU time a notification.

    `others_cores` is what other programs used of the machine meanwhile.
    """

    submit_per_s: float
    single_per_s: float
    batch_per_s: float
    submit_deliver_per_s: float
    cpu_us: float
    rss_mb: float
    others_cores: float


def run(options: Options, directory: Path, *, smtp_port: int, data: Path | None = None) -> Job:
    """Do the job once, on a fresh data directory if none is given. Raises Failed."""
    with (
        TemporaryDirectory(dir=directory, prefix="run-") as own,
        gateway.serving(
            Path(own),
            data or Path(own) / "data",
            smtp_port=smtp_port,
            log=options.log,
            processes=options.processes,
        ) as serving,
        Children(Path(own)) as children,
    ):
        return _job(options, children, serving)


def _job(options: Options, children: Children, serving: Gateway) -> Job:
    events, delivered, passed = serving.events(), serving.counts().delivered, serving.passed()
    cpu, others = serving.cpu_seconds, procfs.Neighbours()
    singles, batches = load_runs.mixed(
        children, serving, count=options.count, connections=options.connections, limit=options.limit
    )

    def ended() -> bool:
        return (
            serving.counts().delivered - delivered >= options.count
            and serving.events() - events >= EVENTS * options.count
        )

    within = options.limit
    until(lambda: serving.passed() - passed >= EVENTS * options.count, serving.child, within=within, every=_POLL)
    until(ended, serving.child, within=within, every=_POLL)
    audited = time.monotonic()
    if extra := serving.events() - events - EVENTS * options.count:
        raise Failed(f"{extra} audit events too many: some deliveries needed more than one attempt")
    unavailable = singles.unavailable + batches.unavailable
    job = Job(
        submit_per_s=options.count / (batches.ended - singles.started),
        single_per_s=singles.rate,
        batch_per_s=batches.rate,
        submit_deliver_per_s=options.count / (audited - singles.started),
        cpu_us=(serving.cpu_seconds - cpu) / options.count * 1e6,
        rss_mb=procfs.peak_mb(serving.child.pid),
        others_cores=others.cores(),
    )
    say.step(
        f"Tocsin: submit {job.submit_per_s:,.0f}/s (posts {job.single_per_s:,.0f}, batches {job.batch_per_s:,.0f}), "
        f"submit+deliver {job.submit_deliver_per_s:,.0f}/s, {job.cpu_us:,.0f} us CPU, {job.rss_mb:.0f} MB; "
        f"others used {job.others_cores:.1f} cores" + (f", {unavailable} requests answered 503" if unavailable else "")
    )
    return job
