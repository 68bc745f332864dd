"""A server that closes a connection without a word: what begins then goes over another one."""

import asyncio

import pytest

from channels.push.h2_connection import Http2Connection
from channels.push.h2_pool import Http2Pool
from tests.unit.push.h2_clients import pool, post
from tests.unit.push.scripted_h2 import serving
from tocsin.net.http import Answer


@pytest.mark.parametrize("turns", range(5))
async def test_what_begins_while_the_connection_is_closing_goes_over_another(
    turns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: asyncio.Future[asyncio.Task[Answer]] = asyncio.get_running_loop().create_future()

    async def begin(client: Http2Pool, port: int) -> Answer:
        for _ in range(turns):
            await asyncio.sleep(0)
        return await post(client, port, name="2")

    async with serving() as server, pool(server.port) as client:
        await post(client, server.port)
        heard = Http2Connection.eof_received

        def eof_received(connection: Http2Connection) -> None:
            heard(connection)
            begun.set_result(asyncio.create_task(begin(client, server.port)))

        monkeypatch.setattr(Http2Connection, "eof_received", eof_received)
        server.peers[0].transport.close()
        answer = await (await begun)
        monkeypatch.undo()

    assert answer.status == 200
    assert [each.headers["x-name"] for each in server.heard] == ["1", "2"]
