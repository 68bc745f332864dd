"""Where the gateway's time goes while it delivers: py-spy's samples of whoever holds the interpreter, by function."""

import os
import re
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import gateway, load_runs, procfs, say, sinks, throughput
from benchmarks.children import BENCH_BIN, Children, Failed, until
from benchmarks.options import Options

_TOP = 40
_OURS = re.compile(r"\((tocsin/(?!cli/)|channels/|producer/|audit/|dlq/)")
_LINE = re.compile(r":\d+\)$")


def run(options: Options, directory: Path) -> None:
    """Profile one delivery of batches and print what took the time. Raises Failed."""
    spy = BENCH_BIN / "py-spy"
    if not spy.exists():
        raise Failed("py-spy is not installed: .venv-bench/bin/python -m pip install py-spy")
    with TemporaryDirectory(dir=directory, prefix="profile-") as own, Children(Path(own)) as children:
        sink, samples = sinks.postfix(children), Path(own) / "samples"
        with gateway.serving(Path(own), Path(own) / "data", smtp_port=sink.port) as serving:
            before = procfs.threads(serving.child.pid)
            command = ["record", "--gil", "--threads", "--nonblocking", "--rate", "200", "--format", "raw"]
            target: list[str | Path] = ["--output", samples, "--pid", str(serving.child.pid)]
            load_runs.batches(children, serving, first=0, count=options.count, limit=options.limit)
            watching = children.start("py-spy", [spy, *command, *target])
            until(
                lambda: serving.events() >= throughput.EVENTS * options.count,
                serving.child,
                within=options.limit,
                every=0.5,
            )
            after = procfs.threads(serving.child.pid)
            watching.process.send_signal(2)
            watching.process.wait(30)
        _print(samples.read_text())
    say.line("\nCPU seconds by thread (with the submits, and what runs without the interpreter):")
    for thread, seconds in sorted(after.items(), key=lambda item: -item[1]):
        if (spent := seconds - before.get(thread, 0.0)) >= os.sysconf("SC_CLK_TCK") / 1e4:
            say.line(f"  {thread}  {spent:.2f} s, {spent / options.count * 1e6:.0f} us a notification")


def _print(samples: str) -> None:
    own: Counter[str] = Counter()
    cumulative: Counter[str] = Counter()
    threads: Counter[str] = Counter()
    total = 0
    for line in samples.splitlines():
        stack, _, times = line.rpartition(" ")
        frames = [_LINE.sub(")", frame) for frame in stack.split(";")]
        total += int(times)
        threads[frames[0]] += int(times)
        own[frames[-1]] += int(times)
        for frame in set(frames):
            cumulative[frame] += int(times)
    ours = Counter({frame: count for frame, count in cumulative.items() if _OURS.search(frame)})
    say.line("\n(first column: of the title; second: cumulative)")
    for title, counted in (("thread", threads), ("self", own), ("cumulative, our own functions", ours)):
        say.line(f"\nof {total} samples, % by {title}:")
        for name, count in counted.most_common(_TOP):
            say.line(f"  {100 * count / total:5.1f}  {100 * cumulative[name] / total:5.1f}  {name}")
