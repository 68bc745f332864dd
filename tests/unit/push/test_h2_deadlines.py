"""One timer for the deadlines of all requests: each ends at its own, and those that are answered do not."""

import asyncio

from tests.support.waiting import until
from tests.unit.push.h2_clients import pool, post
from tests.unit.push.scripted_h2 import Heard, Peer, serving
from tocsin.net.http import Answer, Unanswered


async def test_each_request_ends_at_its_own_deadline() -> None:
    def script(peer: Peer, request: Heard) -> None:
        if request.headers["x-name"] == "answered":
            peer.answer(request.stream)

    ended: list[str] = []

    async def one(name: str, seconds: float) -> object:
        try:
            return await post(client, server.port, name=name, seconds=seconds)
        except Unanswered as end:
            return end
        finally:
            ended.append(name)

    async with serving(on_request=script) as server, pool(server.port) as client:
        await post(client, server.port, name="answered")
        ends = await asyncio.gather(
            one("third", 0.3), one("first", 0.1), one("second", 0.2), one("answered", 60), one("same as first", 0.1)
        )

    assert ended == ["answered", "first", "same as first", "second", "third"]
    assert [type(end) for end in ends] == [Unanswered, Unanswered, Unanswered, Answer, Unanswered]


async def test_a_deadline_that_comes_first_is_kept_though_another_is_waited_for() -> None:
    async with serving(on_request=lambda _peer, _request: None) as server, pool(server.port) as client:
        long = asyncio.create_task(post(client, server.port, seconds=60))
        await until(lambda: server.heard, what="the request that waits")
        [short] = await asyncio.gather(post(client, server.port, seconds=1), return_exceptions=True)

        assert isinstance(short, Unanswered)
        assert not long.done()
        long.cancel()
        await asyncio.wait([long])
