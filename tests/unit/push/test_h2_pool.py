"""The connections of one origin: as many streams as the server allows, no connect a message, no hammering."""

import asyncio
import gc
from datetime import timedelta

import pytest
from h2.settings import SettingCodes

from tests.support.clock import ManualClock
from tests.support.waiting import until
from tests.unit.push.h2_clients import pool, post
from tests.unit.push.scripted_h2 import Heard, Peer, server_tls, serving
from tocsin.net.backoff import Backoff, BackoffPolicy
from tocsin.net.http import NotSent

MOST = SettingCodes.MAX_CONCURRENT_STREAMS


async def nothing() -> None:
    return


async def test_one_stream_at_a_time_until_the_server_allows_more() -> None:
    open_at_once: list[int] = []

    def script(peer: Peer, request: Heard) -> None:
        open_at_once.append(peer.h2.open_inbound_streams)
        if len(peer.heard) == 1:
            peer.tell({MOST: 5})
        asyncio.get_running_loop().call_later(0.005, peer.answer, request.stream)

    async with serving(settings={MOST: 1}, on_request=script) as server, pool(server.port) as client:
        await asyncio.gather(*(post(client, server.port, name=str(number)) for number in range(30)))

    assert open_at_once[0] == 1
    assert max(open_at_once) == 5
    assert len(server.heard) == 30


async def test_a_limit_that_is_lowered_is_obeyed() -> None:
    def script(peer: Peer, request: Heard) -> None:
        if len(peer.heard) == 4:
            peer.tell({MOST: 1})
            for stream in (1, 3, 5, 7):
                peer.answer(stream)
        elif len(peer.heard) > 4:
            assert peer.h2.open_inbound_streams == 1
            peer.answer(request.stream)

    async with serving(settings={MOST: 4}, on_request=script) as server, pool(server.port) as client:
        await asyncio.gather(*(post(client, server.port, name=str(number)) for number in range(10)))

    assert len(server.heard) == 10


async def test_our_own_limit_holds_where_the_server_has_none() -> None:
    most = 0

    def script(peer: Peer, request: Heard) -> None:
        nonlocal most
        most = max(most, peer.h2.open_inbound_streams)
        asyncio.get_running_loop().call_later(0.002, peer.answer, request.stream)

    async with serving(on_request=script) as server, pool(server.port, streams=3) as client:
        await asyncio.gather(*(post(client, server.port) for _ in range(20)))

    assert most == 3


async def test_those_who_wait_are_served_in_their_order() -> None:
    async with serving(settings={MOST: 1}) as server, pool(server.port) as client:
        await asyncio.gather(*(post(client, server.port, name=str(number)) for number in range(20)))

    assert [request.headers["x-name"] for request in server.heard] == [str(number) for number in range(20)]


async def test_another_connection_is_made_while_one_is_full_and_no_more_than_allowed() -> None:
    def script(peer: Peer, request: Heard) -> None:
        asyncio.get_running_loop().call_later(0.005, peer.answer, request.stream)

    async with serving(settings={MOST: 1}, on_request=script) as server, pool(server.port, connections=2) as client:
        await asyncio.gather(*(post(client, server.port) for _ in range(20)))

    assert len(server.peers) == 2
    assert all(peer.heard for peer in server.peers)


async def test_without_a_free_stream_in_time_nothing_is_sent_and_nothing_claimed() -> None:
    async def claim() -> None:
        raise AssertionError("nothing may be claimed")

    async with serving(settings={MOST: 0}) as server, pool(server.port) as client:
        with pytest.raises(NotSent) as caught:
            await post(client, server.port, seconds=0.1, claim=claim)

    assert caught.value.cause == "no_free_stream"
    assert server.heard == []


async def test_who_is_cancelled_while_waiting_leaves_the_line() -> None:
    held: list[int] = []

    def script(_peer: Peer, request: Heard) -> None:
        held.append(request.stream)

    async with serving(settings={MOST: 1}, on_request=script) as server, pool(server.port) as client:
        first, second, third = (asyncio.create_task(post(client, server.port, name=name)) for name in "123")
        await until(lambda: held, what="the first request")
        second.cancel()
        await asyncio.wait([second])
        server.peers[0].answer(1)
        await first
        await until(lambda: len(held) == 2, what="the third request")
        server.peers[0].answer(3)
        await third

    assert [request.headers["x-name"] for request in server.heard] == ["1", "3"]


async def test_an_untrusted_certificate_is_our_settings_fault() -> None:
    async with serving() as server, pool(server.port, trusting=False) as client:
        with pytest.raises(NotSent) as caught:
            await post(client, server.port, claim=nothing)

    assert caught.value.ours
    assert "not trusted" in caught.value.detail
    assert server.heard == []


async def test_a_server_without_http2_is_our_settings_fault() -> None:
    async with serving(tls=server_tls(alpn="http/1.1")) as server, pool(server.port) as client:
        with pytest.raises(NotSent) as caught:
            await post(client, server.port)

    assert (caught.value.ours, caught.value.cause) == (True, "no_http2")


async def test_a_server_that_does_not_say_its_settings_is_given_up() -> None:
    async with serving(settings=None) as server, pool(server.port, timeout_seconds=0.2) as client:
        with pytest.raises(NotSent) as caught:
            await post(client, server.port)
        await asyncio.wait_for(server.peers[0].lost.wait(), 5)

    assert (caught.value.ours, caught.value.cause) == (False, "connect_timeout")


async def test_a_server_that_hangs_up_at_once_is_given_up() -> None:
    async with serving(settings=None, greet=lambda peer: peer.transport.close()) as server, pool(server.port) as client:
        with pytest.raises(NotSent) as caught:
            await post(client, server.port)

    assert caught.value.cause == "connection_lost"


async def test_a_refused_connection_is_remembered_for_a_growing_time(unused_tcp_port: int) -> None:
    clock = ManualClock()
    backoff = Backoff[NotSent](BackoffPolicy(first=1, longest=3), clock.monotonic)
    async with pool(unused_tcp_port, backoff=backoff) as client:
        waits = []
        for _ in range(4):
            with pytest.raises(NotSent) as caught:
                await post(client, unused_tcp_port)
            assert caught.value.cause == "connection_refused"
            start = clock.monotonic()
            while backoff.remembered():
                clock.advance(timedelta(seconds=1))
            waits.append(clock.monotonic() - start)

    assert waits == [1, 2, 3, 3]


async def test_a_server_that_sends_every_request_away_is_not_hammered() -> None:
    def script(peer: Peer, _request: Heard) -> None:
        peer.go_away(0)

    async with serving(on_request=script) as server, pool(server.port) as client:
        for _ in range(5):
            with pytest.raises(NotSent):
                await post(client, server.port)

    assert len(server.peers) == 1


async def test_after_a_failure_an_answer_forgets_it() -> None:
    backoff = Backoff[NotSent](BackoffPolicy(first=60, longest=60), lambda: 0.0)
    async with serving() as server, pool(server.port, backoff=backoff) as client:
        await post(client, server.port)
        backoff.failed(NotSent("connection_refused"))
        await post(client, server.port)

    assert backoff.remembered() is None


async def test_a_connection_that_failed_leaves_nothing_for_the_log(
    unused_tcp_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with pool(unused_tcp_port) as client:
        with pytest.raises(NotSent):
            await post(client, unused_tcp_port)
    del client
    gc.collect()  # asyncio complains of an exception that nobody saw when its future is collected

    assert caplog.records == []


async def test_a_closed_pool_takes_nothing() -> None:
    async with serving() as server:
        async with pool(server.port) as client:
            await post(client, server.port)
        with pytest.raises(NotSent):
            await post(client, server.port)
        await asyncio.wait_for(server.peers[0].lost.wait(), 5)


async def test_a_request_for_another_origin_is_a_bug() -> None:
    async with pool(1) as client:
        with pytest.raises(ValueError, match="origin"):
            await post(client, 2)
