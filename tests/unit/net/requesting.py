"""What most tests of the HTTP client say."""

import asyncio
from typing import Any

from tocsin.net.http import Request


def soon(seconds: float = 20.0) -> float:
    """Return a deadline."""
    return asyncio.get_running_loop().time() + seconds


def post(url: str, **fields: Any) -> Request:
    """Return a POST with a small body."""
    return Request(**{"method": "POST", "url": url, "body": b"ding"} | fields)


class Claims:
    """A claim that counts, and raises what it is told."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.made = 0
        self.error = error

    async def __call__(self) -> None:
        self.made += 1
        if self.error is not None:
            raise self.error
