"""How long connections are kept: by their rest and by their age, with the time in the test's hand."""

import asyncio
from collections.abc import Callable

import pytest

from tests.support.http_server import HttpServer, Reply
from tests.support.waiting import until
from tests.unit.net.requesting import post, soon
from tocsin.net.client import Client
from tocsin.net.connection import Connection
from tocsin.net.pool import Pool, PoolPolicy


class Seconds:
    """A monotonic time that moves when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.mark.parametrize(("rest", "connections"), [(29.0, 1), (30.0, 2)])
async def test_a_connection_that_rested_too_long_is_not_used(
    clients: Callable[..., Client], server: HttpServer, seconds: Seconds, rest: float, connections: int
) -> None:
    client = clients(monotonic=seconds)
    await client.send(post(server.url), deadline=soon())
    seconds.now += rest
    await client.send(post(server.url), deadline=soon())
    assert server.connections == connections


async def test_a_connection_that_is_too_old_is_not_used_though_it_never_rested(
    clients: Callable[..., Client], server: HttpServer, seconds: Seconds
) -> None:
    client = clients(monotonic=seconds)
    for _ in range(31):
        await client.send(post(server.url), deadline=soon())
        seconds.now += 10
    assert server.connections == 2


async def test_what_rested_too_long_is_closed_though_nobody_calls(server: HttpServer, seconds: Seconds) -> None:
    loop = asyncio.get_running_loop()
    unused = asyncio.Event()

    async def dial(_deadline: float) -> Connection:
        _, made = await loop.create_connection(lambda: Connection(max_body=10), "127.0.0.1", server.port)
        return made

    pool = Pool(policy=PoolPolicy(connections=2, idle=0.02), dial=dial, monotonic=seconds, unused=unused.set)
    first, second = await pool.take(soon()), await pool.take(soon())
    pool.give_back(first)
    pool.give_back(second)
    assert len(pool._idle) == 2
    await until(lambda: server.open == 2, what="both connections")
    seconds.now += 1
    await until(lambda: server.open == 0, what="both connections to be closed")
    assert unused.is_set()
    assert not pool._idle


async def test_the_one_used_last_is_used_first(clients: Callable[..., Client], server: HttpServer) -> None:
    client = clients()
    answering = asyncio.Event()
    server.default = Reply(after=answering)
    calls = [asyncio.create_task(client.send(post(server.url), deadline=soon())) for _ in range(3)]
    await until(lambda: len(server.received) == 3, what="three calls at a time")
    answering.set()
    await asyncio.gather(*calls)
    (pool,) = client._pools.values()
    newest = pool._idle[-1]
    await client.send(post(server.url), deadline=soon())
    assert pool._idle[-1] is newest
    assert (len(pool._idle), server.connections) == (3, 3)
