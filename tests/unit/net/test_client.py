"""What goes out and comes back while all is well: requests, answers, connections that are kept and shared."""

import asyncio
from collections.abc import Callable

import pytest

from tests.support.http_server import HttpServer, Reply
from tests.support.waiting import until
from tests.unit.net.requesting import Claims, post, soon
from tocsin.net.client import Client
from tocsin.net.http import Answer, Request

_OK = b"HTTP/1.1 200 OK\r\n"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_EARLY_HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"


async def test_a_request_goes_out_as_it_was_given(client: Client, server: HttpServer) -> None:
    server.replies.append(Reply(status=201, headers={"Location": "/m/1", "X-A": "1", "x-a": "2"}, body=b"{}"))
    claims = Claims()

    answer = await client.send(
        post(f"{server.url}/v1/send?to=a%40b", headers={"Authorization": "bearer x", "TTL": "60"}, body=b"a\0b\r\n"),
        deadline=soon(),
        claim=claims,
    )

    assert answer == Answer(status=201, headers={"location": "/m/1", "x-a": "1, 2", "content-length": "2"}, body=b"{}")
    (received,) = server.received
    assert (received.method, received.target, received.body) == ("POST", "/v1/send?to=a%40b", b"a\0b\r\n")
    assert received.headers == {
        "host": f"127.0.0.1:{server.port}",
        "authorization": "bearer x",
        "ttl": "60",
        "content-length": "5",
    }
    assert claims.made == 1


async def test_connections_are_kept_and_the_newest_is_used_first(client: Client, server: HttpServer) -> None:
    for _ in range(20):
        await client.send(post(server.url), deadline=soon())
    assert server.connections == 1
    assert len(server.received) == 20


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        (_OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n3;x=y\r\n yo\r\n0\r\nT: 1\r\n\r\n", b"hi yo"),
        (_CONTINUE + _EARLY_HINTS + _OK + b"Content-Length: 2\r\n\r\nhi", b"hi"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", b""),
        (_OK + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nhi", b"hi"),
    ],
)
async def test_the_connection_is_kept_after_an_answer_that_says_where_it_ends(
    client: Client, server: HttpServer, raw: bytes, body: bytes
) -> None:
    server.replies.append(Reply(raw=raw))
    assert (await client.send(post(server.url), deadline=soon())).body == body
    await client.send(post(server.url), deadline=soon())
    assert server.connections == 1


@pytest.mark.parametrize(
    "raw",
    [
        _OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        _OK + b"Content-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        _OK + b"Content-Length: 2\r\n\r\nhi???",
    ],
)
async def test_the_connection_is_not_kept_after_any_other(client: Client, server: HttpServer, raw: bytes) -> None:
    server.replies.extend([Reply(raw=raw), Reply(body=b"ours")])
    assert (await client.send(post(server.url), deadline=soon())).body == b"hi"
    assert (await client.send(post(server.url), deadline=soon())).body == b"ours"
    assert server.connections == 2


async def test_a_body_may_end_with_the_connection(client: Client, server: HttpServer) -> None:
    server.replies.append(Reply(raw=_OK + b"\r\nto the end", close=True))
    assert (await client.send(post(server.url), deadline=soon())).body == b"to the end"


async def test_the_answer_to_head_has_no_body_whatever_its_length_says(client: Client, server: HttpServer) -> None:
    server.default = Reply(body=b"not sent")
    for _ in range(2):
        answer = await client.send(Request(method="HEAD", url=server.url), deadline=soon())
        assert (answer.body, answer.headers["content-length"]) == (b"", "8")


async def test_redirects_are_answers(client: Client, server: HttpServer) -> None:
    server.replies.append(Reply(status=307, headers={"Location": "http://elsewhere.example/"}))
    assert (await client.send(post(server.url), deadline=soon())).status == 307
    assert len(server.received) == 1


async def test_many_in_flight_share_few_connections(clients: Callable[..., Client], server: HttpServer) -> None:
    client = clients(connections=3)
    server.default = lambda request: Reply(body=request.body)

    bodies = [str(number).encode() for number in range(200)]
    answers = await asyncio.gather(*(client.send(post(server.url, body=each), deadline=soon()) for each in bodies))

    assert [answer.body for answer in answers] == bodies
    assert server.most_open == server.connections == 3


async def test_large_bodies_pass_both_ways(client: Client, server: HttpServer) -> None:
    server.default = lambda request: Reply(body=request.body)
    body = bytes(range(256)) * 4096
    assert (await client.send(post(server.url, body=body), deadline=soon())).body == body


async def test_every_origin_has_connections_of_its_own_and_is_forgotten_without_any(client: Client) -> None:
    closing = Reply(close=True)
    first, second = HttpServer(default=closing), HttpServer(default=closing)
    for each in (first, second):
        listener = await asyncio.start_server(each.accept, "127.0.0.1", 0)
        each.port = listener.sockets[0].getsockname()[1]
        await client.send(post(each.url), deadline=soon())
        listener.close()
        await each.stop()
        await listener.wait_closed()

    assert (len(first.received), len(second.received)) == (1, 1)
    assert not client._pools


async def test_aclose_closes_what_is_idle(client: Client, server: HttpServer) -> None:
    await client.send(post(server.url), deadline=soon())
    assert server.open == 1
    await client.aclose()
    await until(lambda: server.open == 0, what="the server to see the end")
