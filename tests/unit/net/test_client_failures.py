"""Calls without an answer: what left us decides what they are, and where it stopped is told."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from tests.support.http_server import HttpServer, Reply
from tests.support.waiting import until
from tests.unit.net.requesting import Claims, post, soon
from tocsin.net.client import Client
from tocsin.net.http import NotSent, Unanswered

_OK = b"HTTP/1.1 200 OK\r\n"

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(handle: Handler) -> AsyncIterator[int]:
    """Serve connections by a function of the test's own; yield the port."""
    writers: list[asyncio.StreamWriter] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await handle(reader, writer)

    listener = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        for writer in writers:
            writer.transport.abort()
        await listener.wait_closed()


async def unresolved(host: str, port: int) -> list[str]:
    raise OSError(host, port)


async def test_a_refused_connection(client: Client, server: HttpServer) -> None:
    async with listening(lambda _reader, _writer: asyncio.sleep(0)) as port:
        pass
    claims = Claims()
    with pytest.raises(NotSent) as failure:
        await client.send(post(f"http://127.0.0.1:{port}"), deadline=soon(), claim=claims)
    assert (failure.value.cause, failure.value.ours, claims.made) == ("connection_refused", False, 0)
    assert not client._pools
    await client.send(post(server.url), deadline=soon())


async def test_a_failed_connection_gives_its_place_to_who_waits(clients: Callable[..., Client]) -> None:
    async with listening(lambda _reader, _writer: asyncio.sleep(0)) as port:
        pass
    client = clients(connections=1)
    calls = [client.send(post(f"http://127.0.0.1:{port}"), deadline=soon(2)) for _ in range(3)]
    failures = await asyncio.gather(*calls, return_exceptions=True)
    assert [str(failure) for failure in failures] == ["connection_refused"] * 3


async def test_a_name_that_nobody_knows(clients: Callable[..., Client]) -> None:
    with pytest.raises(NotSent) as failure:
        await clients(resolve=unresolved).send(post("http://nowhere.example"), deadline=soon())
    assert failure.value.cause == "name_resolution"
    assert "nowhere" not in str(failure.value)


async def test_a_resolver_that_does_not_answer(clients: Callable[..., Client]) -> None:
    async def silent(host: str, port: int) -> list[str]:
        return await asyncio.get_running_loop().create_future() or [host, str(port)]

    client = clients(resolve=silent, connect_timeout_seconds=0.02)
    with pytest.raises(NotSent) as failure:
        await client.send(post("http://slow.example"), deadline=soon())
    assert failure.value.cause == "name_resolution"


async def test_the_next_address_is_tried_if_one_refuses(clients: Callable[..., Client], server: HttpServer) -> None:
    async def two(_host: str, _port: int) -> list[str]:
        return ["127.0.0.2", "127.0.0.1"]

    await clients(resolve=two).send(post(f"http://two.example:{server.port}"), deadline=soon())
    assert server.received[0].headers["host"] == f"two.example:{server.port}"


@pytest.mark.parametrize(
    ("raw", "phase"),
    [
        (b"", "headers"),
        (b"HTTP/1.1 2", "headers"),
        (_OK + b"Content-Length: 4\r\n", "headers"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "headers"),
        (_OK + b"Content-Length: 4\r\n\r\n", "body"),
        (_OK + b"Content-Length: 4\r\n\r\nha", "body"),
        (_OK + b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", "body"),
    ],
)
@pytest.mark.parametrize("closes", [True, False])
async def test_an_answer_that_stops_or_stalls(
    client: Client, server: HttpServer, raw: bytes, phase: str, closes: bool
) -> None:
    server.replies.append(Reply(raw=raw, close=closes))
    with pytest.raises(Unanswered) as failure:
        await client.send(post(server.url), deadline=soon() if closes else soon(0.1))
    assert failure.value.phase == phase
    await until(lambda: server.open == 0, what="the connection to be closed")
    await client.send(post(server.url), deadline=soon())
    assert len(server.received) == 2


@pytest.mark.parametrize(
    "raw",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
        _OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nhi",
        _OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        _OK + b"X: " + b"x" * 70_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 5000,
    ],
)
async def test_what_is_no_answer(client: Client, server: HttpServer, raw: bytes) -> None:
    server.replies.append(Reply(raw=raw))
    deadline = soon()
    with pytest.raises(Unanswered) as failure:
        await client.send(post(server.url), deadline=deadline)
    assert failure.value.phase == "headers"
    assert asyncio.get_running_loop().time() < deadline
    await until(lambda: server.open == 0, what="the connection to be closed")


@pytest.mark.parametrize(
    "raw",
    [
        _OK + b"Content-Length: 1001\r\n\r\n" + b"x" * 1001,
        _OK + b"\r\n" + b"x" * 1001,
        _OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"3e9\r\n" + b"x" * 1001 + b"\r\n0\r\n\r\n",
        _OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\nTrailer: " + b"x" * 80_000,
    ],
)
async def test_an_answer_that_is_too_large(clients: Callable[..., Client], server: HttpServer, raw: bytes) -> None:
    server.replies.append(Reply(raw=raw))
    deadline = soon()
    with pytest.raises(Unanswered) as failure:
        await clients(max_body=1000).send(post(server.url), deadline=deadline)
    assert failure.value.phase == "body"
    assert asyncio.get_running_loop().time() < deadline
    await until(lambda: server.open == 0, what="the connection to be closed")


async def test_a_request_that_the_server_does_not_read(client: Client) -> None:
    async def deaf(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        reader._transport.pause_reading()  # type: ignore[attr-defined] # streams have no word for it

    async with listening(deaf) as port:
        with pytest.raises(Unanswered) as failure:
            await client.send(post(f"http://127.0.0.1:{port}", body=bytes(32_000_000)), deadline=soon(0.3))
    assert failure.value.phase == "request"


async def test_an_answer_that_comes_before_the_request_was_read_is_taken_and_the_connection_is_not_kept(
    client: Client,
) -> None:
    connections = 0

    async def early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        reader._transport.pause_reading()  # type: ignore[attr-defined] # streams have no word for it
        writer.write(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")

    async with listening(early) as port:
        for _ in range(2):
            request = post(f"http://127.0.0.1:{port}", body=bytes(32_000_000))
            assert (await client.send(request, deadline=soon())).status == 413
    assert connections == 2


async def test_a_connection_that_breaks_ends_no_body(client: Client) -> None:
    async def breaking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"ding")
        writer.write(_OK + b"\r\nhalf of")
        await writer.drain()
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async with listening(breaking) as port:
        with pytest.raises(Unanswered) as failure:
            await client.send(post(f"http://127.0.0.1:{port}"), deadline=soon())
    assert failure.value.phase == "body"


async def test_a_deadline_that_has_passed(client: Client, server: HttpServer) -> None:
    with pytest.raises(NotSent) as failure:
        await client.send(post(server.url), deadline=soon(0))
    assert failure.value.cause == "deadline"
    assert server.connections == 0


async def test_no_free_connection_by_the_deadline(clients: Callable[..., Client], server: HttpServer) -> None:
    client = clients(connections=1)
    answering = asyncio.Event()
    server.replies.append(Reply(after=answering))
    first = asyncio.create_task(client.send(post(server.url), deadline=soon()))
    await server.arrived.wait()
    with pytest.raises(NotSent) as failure:
        await client.send(post(server.url), deadline=soon(0.02))
    assert failure.value.cause == "no_free_connection"

    answering.set()
    assert (await first).status == 200
    await client.send(post(server.url), deadline=soon())
    assert (len(server.received), server.connections) == (2, 1)


async def test_who_waits_is_served_in_turn(clients: Callable[..., Client], server: HttpServer) -> None:
    client = clients(connections=1)
    await asyncio.gather(*(client.send(post(server.url, body=b"%d" % n), deadline=soon()) for n in range(30)))
    assert [request.body for request in server.received] == [b"%d" % n for n in range(30)]


@pytest.mark.parametrize("faulty", [{"Bad": "a\r\nEvil: 1"}, {"Bad\n": "a"}, {"Host": "evil.example"}])
async def test_a_header_that_could_break_out_is_a_bug_and_opens_nothing(
    client: Client, server: HttpServer, faulty: dict[str, str]
) -> None:
    claims = Claims()
    with pytest.raises(ValueError, match="header") as failure:
        await client.send(post(server.url, headers=faulty), deadline=soon(), claim=claims)
    assert "vil" not in str(failure.value)
    assert (server.connections, claims.made) == (0, 0)


async def test_plain_http_needs_permission(clients: Callable[..., Client], server: HttpServer) -> None:
    with pytest.raises(ValueError, match="scheme"):
        await clients(allow_plain=False).send(post(server.url), deadline=soon())
    assert server.connections == 0
