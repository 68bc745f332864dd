"""The moment before the first byte: the claim, a server that closes just then, and cancellation."""

import asyncio
import socket
from collections.abc import Callable

import pytest

from tests.support.http_server import HttpServer, Reply
from tests.support.waiting import until
from tests.unit.net.requesting import Claims, post, soon
from tocsin.errors import NotClaimed
from tocsin.net.client import Client
from tocsin.net.http import NotSent, Unanswered


async def test_the_claim_is_awaited_with_the_connection_ready_and_nothing_sent(
    client: Client, server: HttpServer
) -> None:
    async def claim() -> None:
        await until(lambda: server.open == 1, what="the connection")
        assert server.received == []

    await client.send(post(server.url), deadline=soon(), claim=claim)
    assert len(server.received) == 1


async def test_what_the_claim_raises_passes_and_the_connection_is_kept(client: Client, server: HttpServer) -> None:
    with pytest.raises(NotClaimed):
        await client.send(post(server.url), deadline=soon(), claim=Claims(NotClaimed()))
    await client.send(post(server.url), deadline=soon())
    assert (server.connections, len(server.received)) == (1, 1)


async def test_a_claim_that_takes_until_the_deadline_sends_nothing(client: Client, server: HttpServer) -> None:
    deadline = soon(0.05)

    async def claim() -> None:
        await until(lambda: asyncio.get_running_loop().time() >= deadline, what="the deadline")

    with pytest.raises(NotSent) as failure:
        await client.send(post(server.url), deadline=deadline, claim=claim)
    assert failure.value.cause == "deadline"
    await client.send(post(server.url), deadline=soon())
    assert (server.connections, len(server.received)) == (1, 1)


async def test_a_server_that_closes_while_idle_costs_nothing(client: Client, server: HttpServer) -> None:
    await client.send(post(server.url), deadline=soon())
    await server.stop()
    claims = Claims()
    await client.send(post(server.url), deadline=soon(), claim=claims)
    assert (server.connections, len(server.received), claims.made) == (2, 2, 1)


async def test_a_server_that_closes_during_the_claim_costs_nothing(client: Client, server: HttpServer) -> None:
    claims = Claims()

    async def claim() -> None:
        await claims()
        await until(lambda: server.open == 1, what="the connection")
        await server.stop()

    await client.send(post(server.url), deadline=soon(), claim=claim)
    assert (server.connections, len(server.received), claims.made) == (2, 1, 1)


async def test_a_connection_lost_in_the_claim_with_none_to_follow_is_not_sent(
    clients: Callable[..., Client], server: HttpServer
) -> None:
    addresses = ["127.0.0.1"]

    async def resolve(_host: str, _port: int) -> list[str]:
        return addresses

    client = clients(connections=1, resolve=resolve)
    url = f"http://there.example:{server.port}"

    async def claim() -> None:
        await until(lambda: server.open == 1, what="the connection")
        await server.stop()
        addresses[:] = ["127.0.0.2"]

    with pytest.raises(NotSent) as failure:
        await client.send(post(url), deadline=soon(), claim=claim)
    assert failure.value.cause == "connection_refused"
    addresses[:] = ["127.0.0.1"]
    await client.send(post(url), deadline=soon())
    assert len(server.received) == 1


@pytest.mark.parametrize("unread", ["the end", "an answer"])
async def test_what_the_loop_has_not_read_yet_is_seen_before_the_request_leaves(client: Client, unread: str) -> None:
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        requests: list[bytes] = []
        kept: list[socket.socket] = []

        async def answer_once() -> socket.socket:
            accepted, _ = await loop.sock_accept(listener)
            requests.append(await loop.sock_recv(accepted, 65536))
            await loop.sock_sendall(accepted, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            return accepted

        for _ in range(20):
            serving = asyncio.create_task(answer_once())
            # What came in the round before lies in the socket: the loop has had no turn since.
            assert (await client.send(post(url), deadline=soon())).status == 200
            accepted = await serving
            if unread == "an answer":
                accepted.send(b"HTTP/1.1 500 Evil\r\nContent-Length: 0\r\n\r\n")
                kept.append(accepted)
            else:
                accepted.close()
        for accepted in kept:
            accepted.close()
        assert len(requests) == 20


async def test_bytes_that_nobody_asked_for_are_no_answer_to_the_next_request(client: Client) -> None:
    evil = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    told = asyncio.Event()
    writers: list[asyncio.StreamWriter] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await reader.readuntil(b"ding")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood")
        await told.wait()
        writer.write(evil)

    listener = await asyncio.start_server(accept, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    assert (await client.send(post(url), deadline=soon())).body == b"good"
    told.set()
    (pool,) = client._pools.values()
    await until(lambda: not pool._idle[0].connection.is_open, what="the connection to be given up")
    assert (await client.send(post(url), deadline=soon())).body == b"good"
    listener.close()
    for writer in writers:
        writer.transport.abort()
    await listener.wait_closed()


async def test_a_request_that_left_is_not_repeated(client: Client, server: HttpServer) -> None:
    await client.send(post(server.url), deadline=soon())
    server.replies.append(Reply(fault="close_before_answer"))
    claims = Claims()
    with pytest.raises(Unanswered):
        await client.send(post(server.url), deadline=soon(), claim=claims)
    assert (len(server.received), claims.made) == (2, 1)


@pytest.mark.parametrize("cut", ["claim", "answer"])
async def test_a_cancelled_call_closes_its_connection(
    clients: Callable[..., Client], server: HttpServer, cut: str
) -> None:
    client = clients(connections=1)
    server.replies.append(Reply(fault="hang"))
    claiming = asyncio.Event()

    async def claim() -> None:
        claiming.set()
        if cut == "claim":
            await asyncio.get_running_loop().create_future()

    call = asyncio.create_task(client.send(post(server.url), deadline=soon(), claim=claim))
    await claiming.wait()
    if cut == "answer":
        await server.arrived.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await until(lambda: server.connections == 1 and server.open == 0, what="the connection to be closed")
    server.replies.clear()
    await client.send(post(server.url), deadline=soon())


async def test_a_call_cancelled_while_it_connects_or_waits_holds_nothing(clients: Callable[..., Client]) -> None:
    asked = asyncio.Event()

    async def silent(host: str, port: int) -> list[str]:
        asked.set()
        return await asyncio.get_running_loop().create_future() or [host, str(port)]

    client = clients(connections=1, resolve=silent)
    connecting = asyncio.create_task(client.send(post("http://slow.example"), deadline=soon()))
    await asked.wait()
    waiting = asyncio.create_task(client.send(post("http://slow.example"), deadline=soon()))
    (pool,) = client._pools.values()
    await until(lambda: pool._places._waiting, what="the second to wait")
    for call in (waiting, connecting):
        call.cancel()
    assert all(
        isinstance(each, asyncio.CancelledError)
        for each in await asyncio.gather(waiting, connecting, return_exceptions=True)
    )
    assert not client._pools
