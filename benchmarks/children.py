"""The processes of a benchmark: each is started with its output in a file, and ended by its own id."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parent.parent
BENCH_BIN = ROOT / ".venv-bench" / "bin"
_GRACE = 40.0
_TAIL = 2_000


class Failed(Exception):
    """A benchmark cannot go on. The message is for the person who started it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A process that was started, and the file that its output goes to."""

    name: str
    process: subprocess.Popen[bytes]
    output: Path

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self.process.pid

    def text(self) -> str:
        """Return what it has written so far."""
        return self.output.read_text(errors="replace")

    def check(self) -> None:
        """Raise Failed if it has ended."""
        if self.process.poll() is not None:
            raise Failed(f"{self.name} ended with {self.process.returncode}:\n{self.text()[-_TAIL:]}")

    def wait(self, *, within: float) -> str:
        """Return what it wrote, once it has ended well. Raises Failed."""
        try:
            code = self.process.wait(within)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name} took more than {within:.0f} s:\n{self.text()[-_TAIL:]}") from None
        if code:
            raise Failed(f"{self.name} ended with {code}:\n{self.text()[-_TAIL:]}")
        return self.text()


class Children:
    """Starts processes in a directory; those that still run when the block is left are ended, the last first."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._started: list[Child] = []

    def start(self, name: str, command: Sequence[str | Path], *, environ: Mapping[str, str] | None = None) -> Child:
        """Start a command in the repository's folder, in a process group of its own."""
        output = self.directory / f"{len(self._started):02}-{name}.log"
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("TOCSIN")}
        with output.open("wb") as file:
            process = subprocess.Popen(  # noqa: S603 - our own commands
                [str(part) for part in command],
                cwd=ROOT,
                env={**inherited, **(environ or {})},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        child = Child(name=name, process=process, output=output)
        self._started.append(child)
        return child

    def python(self, name: str, module: str, *arguments: object, interpreter: Path | None = None) -> Child:
        """Start a module of this package."""
        python = interpreter or Path(sys.executable)
        return self.start(name, [python, "-m", f"benchmarks.{module}", *map(str, arguments)])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for child in reversed(self._started):
            _end(child)


def _end(child: Child) -> None:
    if child.process.poll() is None:
        child.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.process.wait(_GRACE)
    # What it leaves behind is in its group, whose id is its own.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.process.wait()


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listening(child: Child, port: int) -> None:
    """Wait until a process accepts connections. Raises Failed."""

    def accepts() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    until(accepts, child, within=30, every=0.05)


def until(done: Callable[[], bool], child: Child, *, within: float, every: float) -> None:
    """Wait until `done`, asked every so many seconds. Raises Failed if the process ends, or the time is over."""
    deadline = time.monotonic() + within
    while not done():
        child.check()
        if time.monotonic() > deadline:
            raise Failed(f"{child.name} was not done within {within:.0f} s:\n{child.text()[-_TAIL:]}")
        time.sleep(every)
