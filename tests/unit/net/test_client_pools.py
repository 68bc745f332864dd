"""Pools come and go with their use: one that was dropped does nothing to the one that came after it."""

import asyncio
from collections.abc import Callable

from tests.support.http_server import HttpServer, Reply
from tests.support.waiting import until
from tests.unit.net.requesting import post, soon
from tocsin.net.client import Client
from tocsin.net.pool import PoolPolicy

_IDLE_SECONDS = 0.05


async def test_a_pool_that_was_dropped_does_not_drop_the_next_one(
    clients: Callable[..., Client], server: HttpServer
) -> None:
    client = clients(connections=1)
    client._policy = PoolPolicy(connections=1, idle=_IDLE_SECONDS)
    loop = asyncio.get_running_loop()
    waiting = asyncio.Event()
    await client.send(post(server.url), deadline=soon())
    (first,) = client._pools.values()
    sweep_at = loop.time() + _IDLE_SECONDS
    server.default = Reply(after=waiting)
    cut = asyncio.create_task(client.send(post(server.url), deadline=soon()))
    await until(lambda: len(server.received) == 2, what="the call that is cut")
    cut.cancel()
    await asyncio.gather(cut, return_exceptions=True)
    assert (client._pools, first._timer) == ({}, None)

    held = asyncio.create_task(client.send(post(server.url), deadline=soon()))
    await until(lambda: len(server.received) == 3, what="the call of the next pool")
    (second,) = client._pools.values()
    await until(lambda: loop.time() > sweep_at + _IDLE_SECONDS, what="the first pool's sweep to have been due")

    assert list(client._pools.values()) == [second]
    waiting.set()
    await held
