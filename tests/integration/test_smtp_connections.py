"""The SMTP provider's connections: reused, few, replaced when they are old or dead, and not forced on a dead server."""

import asyncio

import pytest

from tests.integration.scripted_smtp import DROP, HANG
from tests.integration.smtp_sending import Claims, Start, provider, send
from tocsin.outcome import Deferred, Delivered


async def test_a_mail_is_taken_and_the_connection_reused(scripted: Start) -> None:
    server = await scripted()
    claims = Claims(server)

    async with provider(server.port) as smtp:
        outcomes = [await send(smtp, claims) for _ in range(3)]

    assert outcomes[0] == Delivered(provider_id="SCRIPTED1", code="250 2.0.0", message="2.0.0 Ok: queued as SCRIPTED1")
    assert outcomes[1:] == outcomes[:1] * 2
    assert server.connections == 1
    assert server.messages == [b"Subject: x\r\n\r\n..dot\r\n.\r\n"] * 3
    assert claims.heard[0] == ["EHLO"]
    assert [len(heard) for heard in claims.heard] == [1, 4, 7]


async def test_a_send_that_is_cancelled_while_it_connects_frees_its_place(scripted: Start) -> None:
    server = await scripted(script={"GREETING": [HANG]})

    async with provider(server.port) as smtp:
        sending = asyncio.create_task(send(smtp))
        await server.reached["GREETING"].wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert isinstance(await send(smtp), Delivered)


async def test_no_more_connections_than_allowed(scripted: Start) -> None:
    server = await scripted()

    async with provider(server.port, connections=3) as smtp:
        outcomes = await asyncio.gather(*(send(smtp) for _ in range(20)))

    assert all(isinstance(outcome, Delivered) for outcome in outcomes)
    assert server.most_open <= 3


async def test_who_finds_no_free_connection_in_time_is_deferred(scripted: Start) -> None:
    server = await scripted(script={"MAIL": [HANG]})

    async with provider(server.port) as smtp:
        first = asyncio.create_task(send(smtp, seconds=1))
        await server.reached["MAIL"].wait()
        assert await send(smtp, seconds=0.05) == Deferred(cause="no_free_connection")
        assert await first == Deferred(cause="mail_timeout")


async def test_connections_retire(scripted: Start) -> None:
    server = await scripted()
    now = [0.0]

    async with provider(server.port, messages_per_connection=2, monotonic=lambda: now[0]) as smtp:
        for _ in range(3):
            await send(smtp)
        assert server.connections == 2
        now[0] += 10
        await send(smtp)
        assert (server.connections, server.verbs().count("RSET")) == (2, 1)
        now[0] += 29
        await send(smtp)
        assert server.connections == 3
        now[0] += 31
        await send(smtp)
        assert server.connections == 4


async def test_a_connection_that_died_at_rest_is_replaced(scripted: Start) -> None:
    server = await scripted(script={"RSET": [DROP]})
    now = [0.0]

    async with provider(server.port, monotonic=lambda: now[0]) as smtp:
        await send(smtp)
        now[0] += 10
        assert isinstance(await send(smtp), Delivered)

    assert server.connections == 2


async def test_a_dead_server_is_not_hammered(scripted: Start) -> None:
    server = await scripted(script={"GREETING": [DROP, DROP]})
    now = [0.0]

    async with provider(server.port, monotonic=lambda: now[0], backoff_seconds=1.0) as smtp:
        for moment, connections in ((0.0, 1), (0.9, 1), (1.0, 2), (2.9, 2)):
            now[0] = moment
            assert await send(smtp) == Deferred(cause="connect_failed")
            assert server.connections == connections
        now[0] = 3.0
        assert isinstance(await send(smtp), Delivered)


async def test_nobody_listens(scripted: Start) -> None:
    server = await scripted()
    await server.stop()

    async with provider(server.port) as smtp:
        assert await send(smtp) == Deferred(cause="connection_refused")
