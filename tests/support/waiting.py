"""Waiting for what other threads and processes do, where there is no event to await."""

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], object], *, what: str, seconds: float = 20.0) -> None:
    """Return once the condition holds. Fails the test, saying what it waited for, if it does not in time."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while not condition():
        if loop.time() > deadline:
            raise AssertionError(f"still waiting after {seconds} s: {what}")
        await asyncio.sleep(0.002)
