"""What commands see of the world around them, in one value, so that tests can put another one in its place."""

import os
import secrets
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    import httpx


def _now() -> datetime:
    return datetime.now(UTC)


def _token() -> str:
    return secrets.token_hex(16)


def _asks() -> bool:
    return sys.stdin.isatty()


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Time, randomness, the environment and the way to the gateway (`transport` None: the network).

    `can_ask` says whether a person is there to answer a question; `token` returns text that nobody else comes up with.
    """

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    transport: "httpx.BaseTransport | None" = None
    now: Callable[[], datetime] = _now
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    token: Callable[[], str] = _token
    can_ask: Callable[[], bool] = _asks


def of(ctx: typer.Context) -> World:
    """Return the world that the command was started in."""
    found = ctx.obj
    if not isinstance(found, World):
        raise TypeError("a command was started without a world")
    return found
