"""Celery on Redis, doing the same job: how it is started, and when it is done."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import latency, load_runs, procfs, say, sinks
from benchmarks.children import BENCH_BIN, Child, Children, Failed, free_port, listening, until
from benchmarks.latency import Latency
from benchmarks.options import Options

WORKER = ("--pool", "prefork", "--concurrency", "2")
REDIS = ("--appendonly", "yes", "--appendfsync", "always", "--save", "")
_QUEUE, _UNACKNOWLEDGED = "celery", "unacked"
_POLL = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What one run came to. `cpu_us` is the CPU time of the workers and of Redis a mail."""

    submit_per_s: float
    submit_deliver_per_s: float
    cpu_us: float
    others_cores: float


class _Running:
    """A Redis and a worker on it."""

    def __init__(self, children: Children, smtp_port: int) -> None:
        self._children = children
        self._port = free_port()
        server = sinks.tool("redis-server", package="redis-server")
        place = ("--bind", "127.0.0.1", "--port", str(self._port), "--dir", str(children.directory))
        self.redis = children.start("redis", [server, *place, *REDIS])
        listening(self.redis, self._port)
        self._environ = {"BENCH_BROKER": f"redis://127.0.0.1:{self._port}/0", "BENCH_SMTP_PORT": str(smtp_port)}
        self.worker = self._celery("worker", *WORKER)
        until(self._answers, self.worker, within=60, every=0.2)

    @property
    def pids(self) -> tuple[int, int]:
        """Whose CPU time counts."""
        return self.worker.pid, self.redis.pid

    def submit(self, *arguments: object) -> Child:
        """Start the producer."""
        command: list[str | Path] = [BENCH_BIN / "python", "-m", "benchmarks.celery_submit", *map(str, arguments)]
        return self._children.start("celery-submit", command, environ=self._environ)

    def left(self) -> int:
        """Return how many tasks are not acknowledged yet."""
        with socket.create_connection(("127.0.0.1", self._port), timeout=10) as connection:
            connection.sendall(f"LLEN {_QUEUE}\r\nHLEN {_UNACKNOWLEDGED}\r\n".encode())
            answer = b""
            while answer.count(b"\n") < 2:  # noqa: PLR2004 - one line each
                answer += connection.recv(256)
        return sum(int(line[1:]) for line in answer.split())

    def check(self) -> None:
        """Raise Failed if a task failed: the worker says no more than warnings and errors."""
        if "ERROR" in (told := self.worker.text()):
            raise Failed(f"Celery's worker failed:\n{told[-2000:]}")

    def _celery(self, *arguments: str) -> Child:
        command: list[str | Path] = [BENCH_BIN / "celery", "--app", "benchmarks.celery_app", *arguments]
        return self._children.start(f"celery-{arguments[0]}", command, environ=self._environ)

    def _answers(self) -> bool:
        ping = self._celery("inspect", "ping", "--timeout", "2")
        ping.process.wait(30)
        return ping.process.returncode == 0


@contextmanager
def _running(directory: Path, smtp_port: int) -> Iterator[_Running]:
    if not (BENCH_BIN / "celery").exists():
        raise Failed("Celery is not installed in .venv-bench: run `make bench`, or leave it out (--celery-count 0)")
    with TemporaryDirectory(dir=directory, prefix="celery-") as own, Children(Path(own)) as children:
        yield _Running(children, smtp_port)


def run(options: Options, directory: Path, *, smtp_port: int) -> Job:
    """Do the job once. Raises Failed."""
    count = options.celery_count
    with _running(directory, smtp_port) as running:
        cpu, others = procfs.cpu_seconds(running.pids), procfs.Neighbours()
        submitted = load_runs.of_one(running.submit("flood", count), count, options.limit)
        until(lambda: running.left() == 0, running.worker, within=options.limit, every=_POLL)
        ended = time.monotonic()
        running.check()
        job = Job(
            submit_per_s=submitted.rate,
            submit_deliver_per_s=count / (ended - submitted.started),
            cpu_us=(procfs.cpu_seconds(running.pids) - cpu) / count * 1e6,
            others_cores=others.cores(),
        )
    say.step(
        f"Celery: submit {job.submit_per_s:,.0f}/s, submit+deliver {job.submit_deliver_per_s:,.0f}/s, "
        f"{job.cpu_us:,.0f} us CPU (workers and Redis); "
        f"others used {job.others_cores:.1f} cores"
    )
    return job


def measure_latency(options: Options, directory: Path) -> Latency:
    """Measure what `latency` measures. Raises Failed."""
    with TemporaryDirectory(dir=directory, prefix="latency-") as own, Children(Path(own)) as children:
        sink = sinks.own(children, "record")
        with _running(Path(own), sink.port) as running:

            def submit(seconds: int) -> None:
                running.submit("rate", options.rate, seconds).wait(within=seconds + 60)

            return latency.measured("Celery", options, sink, submit)
