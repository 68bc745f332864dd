"""Keys in memory, time that stands still, and what to ask of a problem."""

import random
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime

import httpx

from tocsin.store.keys import Key, Mode, Scope
from tocsin.web.keys import hashed, newkey

Serve = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


_MADE = datetime(2030, 1, 1, tzinfo=UTC)


class Keys:
    """A key store in memory that counts how often it is asked."""

    def __init__(self) -> None:
        self.held: dict[str, Key] = {}
        self.asked = 0
        self._random = random.Random(1)

    async def find(self, key_hash: str, /) -> Key | None:
        self.asked += 1
        return self.held.get(key_hash)

    def add(self, *scopes: Scope, tenant: str = "default", mode: Mode = "live") -> str:
        plain, key_hash = newkey(self._random.randbytes, mode=mode)
        number = len(self.held)
        self.held[key_hash] = Key(
            tenant=tenant, key_id=f"key_{number}", name="test", scopes=frozenset(scopes), created_at=_MADE, mode=mode
        )
        return plain

    def remove(self, plain: str) -> None:
        del self.held[hashed(plain)]


class Ticks:
    """Monotonic time that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def slug(response: httpx.Response) -> str:
    """Return which problem an answer is, having checked that it is one."""
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert document["status"] == response.status_code
    assert document["title"]
    assert document["detail"]
    return str(document["type"].removeprefix("urn:tocsin:problem:"))


def pointers(response: httpx.Response) -> Sequence[str]:
    """Return where a problem says that something is wrong."""
    return [error["pointer"] for error in response.json()["errors"]]
