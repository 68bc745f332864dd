"""One connection against a server that does what it likes: what becomes of each request is always known."""

import asyncio

import pytest
from h2.errors import ErrorCodes
from h2.settings import SettingCodes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.waiting import until
from tests.unit.push.h2_clients import pool, post
from tests.unit.push.scripted_h2 import Heard, Peer, serving
from tocsin.errors import NotClaimed
from tocsin.net.http import NotSent, Unanswered


def silent(_peer: Peer, _request: Heard) -> None:
    """Never answer."""


async def test_a_request_and_its_answer() -> None:
    def script(peer: Peer, request: Heard) -> None:
        peer.answer(request.stream, 410, b'{"reason":"Unregistered"}', **{"apns-id": "x"})

    async with serving(on_request=script) as server, pool(server.port) as client:
        answer = await post(client, server.port, body=b'{"aps":{}}')

    assert (answer.status, answer.headers, answer.body) == (410, {"apns-id": "x"}, b'{"reason":"Unregistered"}')
    [heard] = server.heard
    assert heard.body == b'{"aps":{}}'
    assert heard.headers == {
        ":method": "POST",
        ":scheme": "https",
        ":authority": f"127.0.0.1:{server.port}",
        ":path": "/1",
        "x-name": "1",
        "content-length": "10",
    }


async def test_many_requests_share_one_connection() -> None:
    async with serving() as server, pool(server.port) as client:
        await asyncio.gather(*(post(client, server.port, name=str(number)) for number in range(50)))

    assert len(server.peers) == 1
    assert len(server.heard) == 50


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 40), min_size=1, max_size=20), st.binary(min_size=1, max_size=2000))
def test_frames_may_come_in_any_pieces(sizes: list[int], body: bytes) -> None:
    def cut_up(data: bytes) -> list[bytes]:
        pieces: list[bytes] = []
        at = 0
        while at < len(data):
            size = sizes[len(pieces) % len(sizes)]
            pieces.append(data[at : at + size])
            at += size
        return pieces

    async def one() -> None:
        async with (
            serving(on_request=lambda peer, request: peer.answer(request.stream, 200, body), cut_up=cut_up) as server,
            pool(server.port) as client,
        ):
            assert (await post(client, server.port)).body == body

    asyncio.run(one())


async def test_a_body_waits_for_the_windows_of_the_server() -> None:
    body = bytes(range(256)) * 400  # above the connection's window of 65,535 octets, too
    small = {SettingCodes.INITIAL_WINDOW_SIZE: 1000}
    async with serving(settings=small) as server, pool(server.port) as client:
        await asyncio.gather(*(post(client, server.port, body=body) for _ in range(3)))

    assert [heard.body for heard in server.heard] == [body] * 3


async def test_a_window_that_the_settings_open_is_used() -> None:
    closed = {SettingCodes.INITIAL_WINDOW_SIZE: 0}
    async with serving(settings=closed, opens_windows=False) as server, pool(server.port) as client:
        request = asyncio.create_task(post(client, server.port, body=b"x" * 100))
        await until(lambda: server.peers and server.peers[0].h2.open_inbound_streams, what="the header section")
        assert server.heard == []
        server.peers[0].tell({SettingCodes.INITIAL_WINDOW_SIZE: 100})
        await request

    assert server.heard[0].body == b"x" * 100


async def test_a_long_answer_is_taken_and_cut() -> None:
    piece, pieces = b"x" * 10_000, 20

    def script(peer: Peer, request: Heard) -> None:
        peer.h2.send_headers(request.stream, [(":status", "500")])

        def more(left: int) -> None:
            if peer.h2.local_flow_control_window(request.stream) < len(piece):
                loop.call_later(0.001, more, left)
                return
            peer.h2.send_data(request.stream, piece, end_stream=left == 1)
            peer.flush()
            if left > 1:
                loop.call_soon(more, left - 1)

        loop = asyncio.get_running_loop()
        more(pieces)

    async with serving(on_request=script) as server, pool(server.port) as client:
        answer = await post(client, server.port)

    assert (answer.status, len(answer.body)) == (500, 64 * 1024)


async def test_an_answer_before_the_body_has_left_is_an_answer() -> None:
    closed = {SettingCodes.INITIAL_WINDOW_SIZE: 0}
    async with serving(settings=closed) as server, pool(server.port) as client:
        request = asyncio.create_task(post(client, server.port))
        await until(lambda: server.peers and server.peers[0].h2.open_inbound_streams, what="the header section")
        server.peers[0].answer(1, 413)
        assert (await request).status == 413
        await asyncio.wait_for(server.was_reset.wait(), 5)


async def test_a_refused_stream_is_sent_again() -> None:
    def script(peer: Peer, request: Heard) -> None:
        if len(peer.heard) < 3:
            peer.reset(request.stream, ErrorCodes.REFUSED_STREAM)
        else:
            peer.answer(request.stream)

    claims = []

    async def claim() -> None:
        claims.append(len(server.heard))

    async with serving(on_request=script) as server, pool(server.port) as client:
        assert (await post(client, server.port, claim=claim)).status == 200

    assert (len(server.heard), claims) == (3, [0])


async def test_a_server_that_refuses_for_ever_is_given_up() -> None:
    def script(peer: Peer, request: Heard) -> None:
        peer.reset(request.stream, ErrorCodes.REFUSED_STREAM)

    async with serving(on_request=script) as server, pool(server.port) as client:
        with pytest.raises(NotSent) as caught:
            await post(client, server.port)

    assert caught.value.cause == "unprocessed"
    assert len(server.heard) == 8


async def test_any_other_reset_leaves_it_open() -> None:
    def script(peer: Peer, request: Heard) -> None:
        peer.reset(request.stream, ErrorCodes.INTERNAL_ERROR)

    async with serving(on_request=script) as server, pool(server.port) as client:
        with pytest.raises(Unanswered) as caught:
            await post(client, server.port)
        with pytest.raises(Unanswered):
            await post(client, server.port)

    assert caught.value.phase == "headers"
    assert len(server.peers) == 1


async def test_a_connection_that_is_lost_leaves_open_what_was_under_way() -> None:
    def script(peer: Peer, _request: Heard) -> None:
        if len(peer.heard) == 3:
            peer.transport.abort()

    async with serving(on_request=script) as server, pool(server.port) as client:
        posts = [post(client, server.port, name=str(number)) for number in range(3)]
        ends = await asyncio.gather(*posts, return_exceptions=True)

    assert [type(end) for end in ends] == [Unanswered] * 3
    assert len(server.heard) == 3


async def test_after_a_connection_was_lost_the_next_request_has_another() -> None:
    def script(peer: Peer, request: Heard) -> None:
        if len(peer.heard) == 2:
            peer.transport.abort()
        else:
            peer.answer(request.stream)

    async with serving(on_request=script) as server, pool(server.port) as client:
        await post(client, server.port)
        with pytest.raises(Unanswered):
            await post(client, server.port)
        assert (await post(client, server.port)).status == 200

    assert [len(peer.heard) for peer in server.peers] == [2, 1]


async def test_a_frame_that_breaks_the_protocol_ends_the_connection() -> None:
    def script(peer: Peer, _request: Heard) -> None:
        peer.transport.write(bytes.fromhex("000000 01 04 00000000"))  # HEADERS of stream 0

    async with serving(on_request=script) as server, pool(server.port) as client:
        with pytest.raises(Unanswered):
            await post(client, server.port)


async def test_a_server_that_does_not_answer_a_ping_is_given_up() -> None:
    def script(peer: Peer, _request: Heard) -> None:
        peer.mute = True

    async with serving(on_request=script) as server, pool(server.port, ping_after=0.05, ping_timeout=0.05) as client:
        with pytest.raises(Unanswered):
            await asyncio.wait_for(post(client, server.port, seconds=60), 10)
        await asyncio.wait_for(server.peers[0].lost.wait(), 5)


async def test_a_ping_that_is_answered_keeps_the_connection() -> None:
    pinged = []

    def script(peer: Peer, request: Heard) -> None:
        def answer_the_third() -> None:
            pinged.append(request.stream)
            if len(pinged) == 3:
                peer.answer(request.stream)

        peer.on_ping = answer_the_third

    async with serving(on_request=script) as server, pool(server.port, ping_after=0.02, ping_timeout=5) as client:
        assert (await post(client, server.port)).status == 200

    assert pinged == [1, 1, 1]


async def test_past_its_deadline_a_request_is_reset_and_the_others_go_on() -> None:
    def script(peer: Peer, request: Heard) -> None:
        if request.headers["x-name"] != "slow":
            peer.answer(request.stream)

    async with serving(on_request=script) as server, pool(server.port) as client:
        with pytest.raises(Unanswered) as caught:
            await post(client, server.port, name="slow", seconds=1)
        assert (await post(client, server.port)).status == 200
        await asyncio.wait_for(server.was_reset.wait(), 5)

    assert caught.value.phase == "headers"
    assert len(server.peers) == 1
    assert server.peers[0].resets == [1]


async def test_a_cancelled_request_is_reset_and_the_others_go_on() -> None:
    async with serving(on_request=silent) as server, pool(server.port) as client:
        one, two = (asyncio.create_task(post(client, server.port, name=name)) for name in "12")
        await until(lambda: len(server.heard) == 2, what="both requests")
        one.cancel()
        await asyncio.wait([one])
        await asyncio.wait_for(server.was_reset.wait(), 5)
        # What comes late for it is not taken for anything else.
        server.peers[0].answer(3)
        assert (await two).status == 200

    assert one.cancelled()
    assert server.peers[0].resets == [1]


async def test_what_the_claim_raises_passes_through_and_nothing_leaves() -> None:
    async def claim() -> None:
        raise NotClaimed

    async with serving() as server, pool(server.port) as client:
        with pytest.raises(NotClaimed):
            await post(client, server.port, claim=claim)
        assert (await post(client, server.port)).status == 200

    assert len(server.peers) == 1
    assert len(server.heard) == 1


async def test_a_connection_that_goes_while_the_claim_is_awaited_is_replaced() -> None:
    claims = []
    ponged = asyncio.Event()

    async def claim() -> None:
        claims.append(len(server.heard))
        server.peers[0].go_away(1)
        server.peers[0].on_ping = ponged.set
        server.peers[0].h2.ping(b"12345678")
        server.peers[0].flush()
        await ponged.wait()  # so the GOAWAY has arrived

    async with serving() as server, pool(server.port) as client:
        await post(client, server.port)
        assert (await post(client, server.port, claim=claim)).status == 200
        await asyncio.wait_for(server.peers[0].lost.wait(), 5)

    assert claims == [1]
    assert [len(peer.heard) for peer in server.peers] == [1, 1]
