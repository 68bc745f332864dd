"""The composition root of the crash tests: `python -m tests.chaos.crash_gateway SOCKET` makes gateways to order.

Whoever connects to the socket sends an order, one line of JSON, and is told the process, then its URL, then its exit
code. Each gateway is a process of its own, forked from one that has imported everything and started nothing: what a
crash test waits for is recovery, not imports. It ends its gateways and itself when its standard input is closed.
"""

import asyncio
import contextlib
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from tests.chaos.crash_points import Failpoints, arm_writer, armed
from tests.support.gateways import ScaledClock
from tests.support.processes import KEY
from tocsin.observe import logs
from tocsin.runtime import discover, gateway, signals
from tocsin.settings.load import load

MARKER = "failpoint"
STDERR = "stderr.log"


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One gateway: its settings, how fast its clock runs since when, and where it is to die."""

    directory: str
    settings: dict[str, dict[str, Any]]
    speed: float = 1.0
    since: datetime
    failpoint: str = ""
    passing: int = 1


class Told(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is told of a gateway, one thing at a time."""

    pid: int | None = None
    url: str | None = None
    code: int | None = None


class SharedClock(ScaledClock):
    """A scaled clock on which all processes agree that were given the same start: a restart turns no time back."""

    def __init__(self, speed: float, since: datetime) -> None:
        super().__init__(speed)
        self._start = since + (self._start - since) * speed


def main(path: str) -> None:
    """Serve orders until the standard input is closed."""
    discover.setting_sections()
    children: dict[int, socket.socket] = {}
    signal.signal(signal.SIGCHLD, lambda *_: _reap(children))
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        print("ready", flush=True)  # noqa: T201 - whoever started us waits for it
        while listening in select.select([listening, sys.stdin], [], [])[0]:
            _fork(listening.accept()[0], children)
    for pid in list(children):
        os.kill(pid, signal.SIGKILL)
    os._exit(0)


def _fork(connection: socket.socket, children: dict[int, socket.socket]) -> None:
    with connection.makefile("rb") as lines:
        order = msgspec.json.decode(lines.readline(), type=Order)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        os._exit(_run(order, lambda told: _tell(connection, told)))
    children[pid] = connection
    _tell(connection, Told(pid=pid))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})


def _reap(children: dict[int, socket.socket]) -> None:
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            with children.pop(ended[0]) as connection:
                _tell(connection, Told(code=os.waitstatus_to_exitcode(ended[1])))


def _tell(connection: socket.socket, told: Told) -> None:
    # Whoever ordered the gateway may have gone by now.
    with contextlib.suppress(OSError):
        connection.sendall(msgspec.json.encode(told) + b"\n")


def _run(order: Order, tell: Callable[[Told], None]) -> int:
    """Be a gateway; return the exit code."""
    stderr = os.open(Path(order.directory, STDERR), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(stderr, 1)
    os.dup2(stderr, 2)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(order, tell))
    except BaseException:  # noqa: BLE001 - the process ends here, whatever it is of
        traceback.print_exc()
        return 1
    return 0


async def _serve(order: Order, tell: Callable[[Told], None]) -> None:
    logs.configure(level="INFO", format="json", stream=sys.stderr)
    os.environ["TOCSIN_BOOTSTRAP_KEY"] = KEY
    settings = load(discover.setting_sections(), path=None, environ={}, overrides=order.settings)
    points = Failpoints(order.failpoint, passing=order.passing, marker=Path(order.directory, MARKER))
    arm_writer(points)
    stopping = asyncio.Event()
    with signals.handled(stopping.set):
        clock = SharedClock(order.speed, order.since)
        services = [armed(service, points) for service in discover.services()]
        async with gateway.gateway(settings, clock=clock, services=services) as (started, failed):
            tell(Told(url=started.url))
            waits = [asyncio.create_task(event.wait()) for event in (stopping, failed)]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)


if __name__ == "__main__":
    main(sys.argv[1])
