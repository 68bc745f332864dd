"""How a side is measured, in its own process: CPU time, user and system, for messages after a warm-up.

Imported in `.venv-bench` too.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Iterator

# Connections are made, tokens had and caches filled with these.
WARM_UP = 200


def one_by_one(send: Callable[[int], None], count: int) -> None:
    """Send messages in a row and tell what that took."""
    for number in range(WARM_UP):
        send(number)
    began, cpu = time.perf_counter(), time.process_time()
    for number in range(WARM_UP, WARM_UP + count):
        send(number)
    _tell(count, time.process_time() - cpu, time.perf_counter() - began)


async def in_flight(send: Callable[[int], Awaitable[None]], count: int, *, most: int) -> None:
    """Send messages, so many at a time, and tell what that took."""
    await _send(send, iter(range(WARM_UP)), most)
    began, cpu = time.perf_counter(), time.process_time()
    await _send(send, iter(range(WARM_UP, WARM_UP + count)), most)
    _tell(count, time.process_time() - cpu, time.perf_counter() - began)


async def _send(send: Callable[[int], Awaitable[None]], numbers: Iterator[int], most: int) -> None:
    async def some() -> None:
        for number in numbers:
            await send(number)

    async with asyncio.TaskGroup() as group:
        for _ in range(most):
            group.create_task(some())


def _tell(count: int, cpu_seconds: float, seconds: float) -> None:
    figures = {"count": count, "cpu_seconds": cpu_seconds, "seconds": seconds}
    sys.stdout.write(f"{json.dumps(figures)}\n")
