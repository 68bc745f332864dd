"""`python -m benchmarks`: what was asked for, one thing after the other, with nothing left running at the end."""

import dataclasses
import signal
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import celery_peer, growth, latency, options, procfs, report, say, sinks, spy, throughput, waiting
from benchmarks.children import Children, Failed
from benchmarks.options import Options
from benchmarks.report import Findings


def main() -> int:
    """Run the benchmarks; return the exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    asked = options.parse()
    try:
        with TemporaryDirectory(prefix="tocsin-bench-") as directory:
            _run(asked, Path(directory))
    except Failed as failure:
        say.line(f"\n{failure}")
        return 1
    except KeyboardInterrupt:
        say.line("\nstopped")
        return 130
    return 0


def _run(asked: Options, directory: Path) -> None:
    directory.chmod(0o755)  # smtp-sink runs as nobody
    machine = procfs.machine(directory)
    if asked.profile:
        spy.run(asked, directory)
    elif asked.growth:
        grown = growth.run(asked, directory)
        ratio = round(grown.long_per_s / grown.empty_per_s, 3)
        say.line(f"\nempty log             {grown.empty_per_s:,.0f}/s, {grown.empty_cpu_us:,.0f} us CPU a notification")
        say.line(
            f"{grown.records:>9,} records     {grown.long_per_s:,.0f}/s, {grown.long_cpu_us:,.0f} us; {ratio} of it"
        )
        told = {**dataclasses.asdict(grown), "ratio": ratio, "machine": machine}
        report.write(told, asked.results.with_name("growth.json"))
    else:
        report.configurations(asked, machine)
        told = report.figures(_compare(asked, directory), machine, asked)
        report.tell(told)
        report.write(told, _results(asked))


def _results(asked: Options) -> Path:
    """Return where the figures go: each layout has a file of its own."""
    if asked.log == "embedded":
        return asked.results
    return asked.results.with_name("kafka-processes.json" if asked.processes else "kafka.json")


def _compare(asked: Options, directory: Path) -> Findings:
    found = Findings()
    with Children(directory) as children:
        sink = sinks.postfix(children)
        for number in range(asked.runs):
            say.step(f"run {number + 1} of {asked.runs}")
            found.tocsin.append(throughput.run(asked, directory, smtp_port=sink.port))
            if asked.celery_count:
                found.celery.append(celery_peer.run(asked, directory, smtp_port=sink.port))
    say.step(f"latency at {asked.rate}/s for {asked.seconds} s")
    found.latency = latency.of_tocsin(asked, directory)
    if asked.celery_count:
        found.celery_latency = celery_peer.measure_latency(asked, directory)
    if asked.waiting:
        say.step(f"memory with {asked.waiting:,} waiting")
        found.waiting = waiting.run(asked, directory)
    return found


if __name__ == "__main__":
    sys.exit(main())
