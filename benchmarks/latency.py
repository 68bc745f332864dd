"""How long a mail takes from the client to the provider, at a steady rate that is well below the most."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import gateway, load_runs, say, sinks
from benchmarks.children import Children, until
from benchmarks.options import Options
from benchmarks.sinks import Sink

# At first connections are made, templates compiled, statements prepared, and a broker's code is interpreted; that is
# not what the figure is about.
_WARM_UP_SECONDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Milliseconds from submit to provider."""

    p50_ms: float
    p99_ms: float


def of_tocsin(options: Options, directory: Path) -> Latency:
    """Measure the gateway. Raises Failed."""
    with TemporaryDirectory(dir=directory, prefix="latency-") as own, Children(Path(own)) as children:
        sink = sinks.own(children, "record")
        with gateway.serving(
            Path(own), Path(own) / "data", smtp_port=sink.port, log=options.log, processes=options.processes
        ) as serving:

            def submit(seconds: int) -> None:
                load_runs.steady(children, serving, rate=options.rate, seconds=seconds, connections=options.connections)

            return measured("Tocsin", options, sink, submit)


def measured(name: str, options: Options, sink: Sink, submit: Callable[[int], None]) -> Latency:
    """Have mails submitted at the rate for some seconds, and return what their way to the sink took. Raises Failed."""
    seconds = _WARM_UP_SECONDS + options.seconds
    submit(seconds)
    count = options.rate * seconds
    until(lambda: sink.child.text().count("\n") >= count, sink.child, within=60, every=0.2)
    taken = sorted(_milliseconds(sink.child.text())[_WARM_UP_SECONDS * options.rate :])
    latency = Latency(p50_ms=taken[len(taken) // 2], p99_ms=taken[len(taken) * 99 // 100])
    say.step(f"{name}: submit to provider p50 {latency.p50_ms:.1f} ms, p99 {latency.p99_ms:.1f} ms")
    return latency


def _milliseconds(text: str) -> list[float]:
    """Return the latencies in the order of submission."""
    pairs = sorted(tuple(map(int, line.split())) for line in text.splitlines())
    return [(arrived - sent) / 1e6 for sent, arrived in pairs]
