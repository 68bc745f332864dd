"""HTTPS: the name in the URL is what the certificate must be for, whatever address it is reached at."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from tests.integration.certificates import Certificates
from tests.support.http_server import HttpServer, Reply, serving
from tests.support.waiting import until
from tests.unit.net.requesting import Claims, post, soon
from tocsin.net.client import Client
from tocsin.net.guard import Guard
from tocsin.net.http import NotSent, Unanswered


@pytest.fixture
async def server(certificates: Certificates) -> AsyncIterator[HttpServer]:
    async with serving(tls=certificates.server_context()) as running:
        yield running


@pytest.fixture
def trusting(certificates: Certificates) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificates.ca_file))


async def loopback(_host: str, _port: int) -> list[str]:
    return ["127.0.0.1"]


async def test_calls_over_tls_keep_their_connection(
    clients: Callable[..., Client], trusting: ssl.SSLContext, server: HttpServer
) -> None:
    client = clients(ssl_context=trusting)
    server.default = lambda request: Reply(body=request.body)
    body = bytes(range(256)) * 1024
    for _ in range(5):
        assert (await client.send(post(server.url, body=body), deadline=soon(), claim=Claims())).body == body
    assert server.connections == 1


async def test_many_in_flight_over_tls(
    clients: Callable[..., Client], trusting: ssl.SSLContext, server: HttpServer
) -> None:
    client = clients(ssl_context=trusting, connections=3)
    server.default = lambda request: Reply(body=request.body)
    bodies = [b"%d" % number for number in range(60)]
    answers = await asyncio.gather(*(client.send(post(server.url, body=each), deadline=soon()) for each in bodies))
    assert [answer.body for answer in answers] == bodies
    assert server.connections == 3


async def test_a_certificate_that_is_not_trusted_is_a_matter_of_the_settings(
    clients: Callable[..., Client], server: HttpServer
) -> None:
    claims = Claims()
    with pytest.raises(NotSent) as failure:
        await clients().send(post(server.url), deadline=soon(), claim=claims)
    assert (failure.value.cause, failure.value.ours, claims.made) == ("tls_failed", True, 0)
    assert "not trusted" in failure.value.detail
    assert server.received == []


async def test_the_name_of_the_url_is_checked_at_an_address_that_was_judged(
    clients: Callable[..., Client], trusting: ssl.SSLContext, server: HttpServer
) -> None:
    guard = Guard(exceptions=["127.0.0.0/8"])
    client = clients(ssl_context=trusting, guard=guard, resolve=loopback)
    await client.send(post(f"https://localhost:{server.port}"), deadline=soon())
    with pytest.raises(NotSent) as failure:
        await client.send(post(f"https://push.example:{server.port}"), deadline=soon())
    assert (failure.value.cause, failure.value.ours) == ("tls_failed", True)
    assert "push.example" not in str(failure.value)
    assert len(server.received) == 1


async def test_a_server_that_speaks_no_tls(clients: Callable[..., Client], trusting: ssl.SSLContext) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        await reader.read()
        writer.transport.abort()

    await _fails_by(clients(ssl_context=trusting), greet, "tls_failed")


async def test_a_server_that_goes_in_the_handshake(clients: Callable[..., Client], trusting: ssl.SSLContext) -> None:
    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.transport.abort()

    await _fails_by(clients(ssl_context=trusting), leave, "tls_failed")


async def test_a_server_that_accepts_and_says_nothing(clients: Callable[..., Client], trusting: ssl.SSLContext) -> None:
    ended = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        ended.set()
        writer.transport.abort()

    await _fails_by(clients(ssl_context=trusting, connect_timeout_seconds=0.05), silent, "connect_timeout", ended=ended)


async def test_an_address_that_says_nothing_leaves_time_for_the_next(
    clients: Callable[..., Client], trusting: ssl.SSLContext, server: HttpServer
) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.transport.abort()

    async def two(_host: str, _port: int) -> list[str]:
        return ["127.0.0.2", "127.0.0.1"]

    listener = await asyncio.start_server(silent, "127.0.0.2", server.port)
    client = clients(ssl_context=trusting, resolve=two, connect_timeout_seconds=1.0)
    await client.send(post(f"https://localhost:{server.port}"), deadline=soon())
    assert len(server.received) == 1
    listener.close()
    await listener.wait_closed()


async def test_the_deadline_ends_a_handshake(clients: Callable[..., Client], trusting: ssl.SSLContext) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.transport.abort()

    await _fails_by(clients(ssl_context=trusting), silent, "deadline", seconds=0.05)


async def test_an_answer_cut_short_over_tls(
    clients: Callable[..., Client], trusting: ssl.SSLContext, server: HttpServer
) -> None:
    client = clients(ssl_context=trusting)
    server.replies.extend([Reply(fault="close_before_answer"), Reply(body=b"whole", fault="close_in_body")])
    for phase in ("headers", "body"):
        with pytest.raises(Unanswered) as failure:
            await client.send(post(server.url), deadline=soon())
        assert failure.value.phase == phase


async def test_a_server_that_closes_while_idle_over_tls_costs_nothing(
    clients: Callable[..., Client], trusting: ssl.SSLContext, server: HttpServer
) -> None:
    client = clients(ssl_context=trusting)
    await client.send(post(server.url), deadline=soon())
    await server.stop()
    await client.send(post(server.url), deadline=soon())
    assert (server.connections, len(server.received)) == (2, 2)


async def test_a_cancelled_call_over_tls_closes_its_connection(
    clients: Callable[..., Client], trusting: ssl.SSLContext, server: HttpServer
) -> None:
    server.replies.append(Reply(fault="hang"))
    call = asyncio.create_task(clients(ssl_context=trusting).send(post(server.url), deadline=soon()))
    await server.arrived.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await until(lambda: server.open == 0, what="the connection to be closed")


async def test_the_default_trusts_the_systems_authorities() -> None:
    client = Client(connections=1, monotonic=time.monotonic)
    context = client._dialler._context
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


async def _fails_by(
    client: Client,
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    cause: str,
    *,
    seconds: float = 20.0,
    ended: asyncio.Event | None = None,
) -> None:
    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    with pytest.raises(NotSent) as failure:
        await client.send(post(url), deadline=soon(seconds))
    assert (failure.value.cause, failure.value.ours) == (cause, False)
    if ended is not None:
        await ended.wait()
    listener.close()
    await listener.wait_closed()
