"""Ending clients that may never end by themselves: while the cluster is away, their `stop` waits for it."""

import asyncio
from collections.abc import Awaitable

from loguru import logger


async def bounded(ending: Awaitable[None], *, seconds: float, what: str) -> None:
    """Await an ending, give it up after a while, and let none of its errors out: there is nothing left to save."""
    task = asyncio.ensure_future(ending)
    done, _ = await asyncio.wait([task], timeout=seconds)
    if not done:
        task.cancel()
        await asyncio.wait([task])
    error = None if task.cancelled() else task.exception()
    if error is not None or not done:
        logger.warning("client_not_ended", client=what, error=type(error).__name__ if error else "timeout")
