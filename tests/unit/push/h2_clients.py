"""Our side of the connection, as the tests make it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from channels.push.h2_connection import ConnectionPolicy
from channels.push.h2_dial import Http2Dialler, tls_context
from channels.push.h2_pool import Http2Pool
from tests.unit.push.scripted_h2 import authority
from tocsin.net.backoff import Backoff, BackoffPolicy
from tocsin.net.http import Answer, Claim, NotSent, Request
from tocsin.net.origin import Origin


def dialler(port: int, *, trusting: bool = True, timeout_seconds: float = 5.0, **policy: Any) -> Http2Dialler:
    context = tls_context()
    if trusting:
        authority().configure_trust(context)
    bounds: dict[str, Any] = {"streams": 100, "ping_after": 30.0, "ping_timeout": 5.0}
    return Http2Dialler(
        origin=Origin("https", "127.0.0.1", port),
        context=context,
        policy=ConnectionPolicy(**(bounds | policy)),
        timeout=timeout_seconds,
    )


@asynccontextmanager
async def pool(
    port: int, *, connections: int = 1, backoff: Backoff[NotSent] | None = None, **dial: Any
) -> AsyncIterator[Http2Pool]:
    made = dialler(port, **dial)
    patience = backoff or Backoff[NotSent](BackoffPolicy(first=0.5, longest=15.0), time.monotonic)
    opened = Http2Pool(origin=made.origin, connections=connections, dial=made.dial, backoff=patience)
    try:
        yield opened
    finally:
        await opened.aclose()


async def post(
    client: Http2Pool,
    port: int,
    *,
    name: str = "1",
    body: bytes = b"{}",
    seconds: float = 20,
    claim: Claim | None = None,
) -> Answer:
    request = Request(method="POST", url=f"https://127.0.0.1:{port}/{name}", headers={"x-name": name}, body=body)
    return await client.send(request, deadline=asyncio.get_running_loop().time() + seconds, claim=claim)
