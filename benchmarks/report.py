"""The figures: printed side by side with what was compared, and written to a file."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import celery_peer, gateway, load_runs, mails, options, say, throughput
from benchmarks.latency import Latency
from benchmarks.options import Options
from benchmarks.waiting import Waiting


@dataclass(slots=True, kw_only=True)
class Findings:
    """What was measured so far."""

    tocsin: list[throughput.Job] = field(default_factory=list)
    celery: list[celery_peer.Job] = field(default_factory=list)
    latency: Latency | None = None
    celery_latency: Latency | None = None
    waiting: Waiting | None = None


def configurations(asked: Options, machine: Mapping[str, str | int]) -> None:
    """Print what is compared, and on what."""
    settings = ", ".join(f"{name}={value}" for name, value in gateway.SETTINGS.items())
    say.line(f"Machine   {', '.join(f'{name} {value}' for name, value in machine.items())}")
    say.line(f"Job       {asked.count:,} mails from template {mails.TEMPLATE}, text and HTML, each to somebody else;")
    say.line("          delivered to Postfix's smtp-sink, plaintext on loopback, the same sink for both")
    say.line(f"Tocsin    {_layout(asked)}, all defaults but {settings}:")
    say.line("          audit, ledger, metrics on, every commit synced; ends at the last audit row in SQL")
    say.line(f"          half as single posts on {asked.connections} keep-alive connections, half as batches of")
    say.line(f"          {options.BATCH} on {load_runs.BATCH_CONNECTIONS}; one client process")
    if asked.celery_count:
        _celery(asked)
    say.line()


def _layout(asked: Options) -> str:
    if asked.log == "embedded":
        return "one process, embedded log"
    shape = f"{asked.processes} processes that deliver, one for the rest" if asked.processes else "one process"
    return f"{shape}, one Kafka broker and PostgreSQL on this machine (their CPU not counted)"


def _celery(asked: Options) -> None:
    redis = " ".join(argument or "''" for argument in celery_peer.REDIS)
    say.line(f"Celery    worker {' '.join(celery_peer.WORKER)}, acks_late, results ignored;")
    say.line(f"          Redis {redis};")
    say.line("          Jinja2, EmailMessage, smtplib with a connection kept by each worker process;")
    say.line(f"          {asked.celery_count:,} mails, apply_async from one producer; ends when all are acknowledged")


def figures(found: Findings, machine: Mapping[str, str | int], asked: Options) -> dict[str, Any]:
    """Return the medians, None where something was left out."""
    rate = _median(found.tocsin, "submit_deliver_per_s")
    celery = _median(found.celery, "submit_deliver_per_s")
    # Of each run by itself: a machine that others share changes its speed from one run to the next.
    pairs = zip(found.tocsin, found.celery, strict=False)
    ratios = [round(ours.submit_deliver_per_s / theirs.submit_deliver_per_s, 2) for ours, theirs in pairs]
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": dict(machine),
        "log": asked.log,
        "processes": asked.processes,
        "count": asked.count,
        "runs": asked.runs,
        "ratio_celery": _middle(ratios),
        "ratio_celery_runs": ratios,
        "ratio_celery_cpu": _ratio(_median(found.celery, "cpu_us"), _median(found.tocsin, "cpu_us")),
        "submit_deliver_per_s": rate,
        "submit_per_s": _median(found.tocsin, "submit_per_s"),
        "submit_single_per_s": _median(found.tocsin, "single_per_s"),
        "submit_batch_per_s": _median(found.tocsin, "batch_per_s"),
        "p50_ms": round(found.latency.p50_ms, 2) if found.latency else None,
        "p99_ms": round(found.latency.p99_ms, 2) if found.latency else None,
        "cpu_us": _median(found.tocsin, "cpu_us"),
        "rss_mb": _median(found.tocsin, "rss_mb"),
        "waiting": asked.waiting or None,
        "rss_mb_100k_waiting": round(found.waiting.rss_mb, 1) if found.waiting else None,
        "rss_mb_100k_peak": round(found.waiting.peak_mb, 1) if found.waiting else None,
        "celery_submit_deliver_per_s": celery,
        "celery_submit_per_s": _median(found.celery, "submit_per_s"),
        "celery_cpu_us": _median(found.celery, "cpu_us"),
        "others_cores": _median([*found.tocsin, *found.celery], "others_cores"),
        "celery_p50_ms": round(found.celery_latency.p50_ms, 2) if found.celery_latency else None,
        "celery_p99_ms": round(found.celery_latency.p99_ms, 2) if found.celery_latency else None,
    }


def tell(told: Mapping[str, Any]) -> None:
    """Print the figures."""
    say.line()
    rows = (
        ("submit+deliver /s", "submit_deliver_per_s", "celery_submit_deliver_per_s"),
        ("submit /s", "submit_per_s", "celery_submit_per_s"),
        ("  single posts /s", "submit_single_per_s", None),
        ("  batches /s", "submit_batch_per_s", None),
        ("submit to provider, p50 ms", "p50_ms", "celery_p50_ms"),
        ("submit to provider, p99 ms", "p99_ms", "celery_p99_ms"),
        ("CPU us a notification", "cpu_us", "celery_cpu_us"),
        ("RSS MB, peak", "rss_mb", None),
        (f"RSS MB, {told['waiting'] or 0:,} waiting", "rss_mb_100k_waiting", None),
    )
    say.line(f"{'median of ' + str(told['runs']):32} {'Tocsin':>10} {'Celery':>10}")
    for name, ours, theirs in rows:
        say.line(f"{name:32} {_shown(told[ours]):>10} {_shown(told[theirs]) if theirs else '':>10}")
    say.line(f"{'cores that others used':32} {told['others_cores']:>10}")
    if told["ratio_celery"] is not None:
        runs = ", ".join(map(str, told["ratio_celery_runs"]))
        say.line(f"{'times the rate of Celery':32} {told['ratio_celery']:>10}   (each run: {runs})")
        say.line(f"{'times the mails a CPU second':32} {told['ratio_celery_cpu']:>10}")


def write(told: Mapping[str, Any], file: Path) -> None:
    """Write figures to a file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(told, indent=2) + "\n")


def _median(jobs: list[Any], name: str) -> float | None:
    return round(median(getattr(job, name) for job in jobs), 1) if jobs else None


def _middle(ratios: list[float]) -> float | None:
    return round(median(ratios), 2) if ratios else None


def _ratio(ours: float | None, theirs: float | None) -> float | None:
    return round(ours / theirs, 2) if ours and theirs else None


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}"
