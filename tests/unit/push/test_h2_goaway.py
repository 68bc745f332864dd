"""A server that says GOAWAY every 50 requests, in each form: nothing is lost, nothing is sent twice."""

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest

from tests.unit.push.h2_clients import pool, post
from tests.unit.push.scripted_h2 import LARGEST, Heard, Peer, serving
from tocsin.net.http import Unanswered

REQUESTS = 400
EVERY = 50

Script = Callable[[Peer, Heard], None]


def at_once(peer: Peer, request: Heard) -> None:
    """After every 50th request, name it as the last one, before it is answered."""
    if len(peer.heard) == EVERY:
        peer.go_away(request.stream)
    peer.answer(request.stream)


def graceful(peer: Peer, request: Heard) -> None:
    """Announce the end with the largest id, work on what still comes, and name the last one a round trip later."""
    loop = asyncio.get_running_loop()
    if len(peer.heard) == EVERY:
        peer.go_away(LARGEST)
        loop.call_later(0.01, lambda: peer.go_away(peer.heard[-1].stream))
    # The answers come behind the second GOAWAY.
    loop.call_later(0.02 if len(peer.heard) >= EVERY else 0, peer.answer, request.stream)


@pytest.mark.parametrize("script", [at_once, graceful])
@pytest.mark.parametrize("in_flight", [1, 20])
async def test_every_request_is_answered_and_heard_once(script: Script, in_flight: int) -> None:
    names = iter(range(REQUESTS))
    claims: Counter[str] = Counter()
    async with serving(on_request=script) as server, pool(server.port) as client:

        async def work() -> None:
            for number in names:
                name = str(number)

                async def claim(name: str = name) -> None:
                    claims[name] += 1

                assert (await post(client, server.port, name=name, claim=claim)).status == 200

        await asyncio.gather(*(work() for _ in range(in_flight)))

        heard = Counter(request.headers["x-name"] for request in server.heard)
        assert heard == claims == Counter(map(str, range(REQUESTS)))
        # In the graceful form, those that were already on their way are worked on too.
        assert len(server.peers) >= REQUESTS // (EVERY + in_flight)


async def test_what_is_above_the_last_stream_is_sent_again_and_what_is_below_is_awaited() -> None:
    def script(peer: Peer, request: Heard) -> None:
        if len(server.peers) > 1:
            peer.answer(request.stream, 202)
        elif request.stream == 5:
            peer.go_away(1)
            peer.answer(1, 200)

    async with serving(on_request=script) as server, pool(server.port) as client:
        answers = await asyncio.gather(*(post(client, server.port, name=str(number)) for number in range(3)))

    assert sorted(answer.status for answer in answers) == [200, 202, 202]
    assert [len(peer.heard) for peer in server.peers] == [3, 2]


async def test_a_stream_that_was_answered_in_part_is_not_sent_again_whatever_the_goaway_says() -> None:
    def script(peer: Peer, request: Heard) -> None:
        peer.h2.send_headers(request.stream, [(":status", "200")])
        peer.flush()
        peer.go_away(0)

    async with serving(on_request=script) as server, pool(server.port) as client:
        with pytest.raises(Unanswered) as caught:
            await post(client, server.port)

    assert caught.value.phase == "body"
    assert len(server.heard) == 1


async def test_a_connection_that_was_sent_away_closes_when_its_last_answer_is_there() -> None:
    def script(peer: Peer, request: Heard) -> None:
        peer.go_away(request.stream)
        peer.answer(request.stream)

    async with serving(on_request=script) as server, pool(server.port) as client:
        await post(client, server.port)
        await asyncio.wait_for(server.peers[0].lost.wait(), 5)

    assert len(server.peers) == 1
