"""What aiokafka makes of a connection that was closed a moment ago, on asyncio's loop and on uvloop's."""

import asyncio
from collections.abc import Callable

import pytest
import uvloop
from aiokafka.conn import AIOKafkaConnection  # type: ignore[import-untyped]
from aiokafka.errors import KafkaConnectionError  # type: ignore[import-untyped]
from aiokafka.protocol.metadata import MetadataRequest  # type: ignore[import-untyped]

from tocsin.eventlog.kafka import closed


async def asked() -> None:
    """Ask over a connection whose transport was closed, as a reset does, before aiokafka was told."""
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        connection = AIOKafkaConnection("127.0.0.1", 9092, request_timeout_ms=2000)
        connection._versions = {MetadataRequest.API_KEY: (0, 1)}
        connection._writer = writer
        writer.transport.abort()
        await asyncio.sleep(0)
        with pytest.raises(KafkaConnectionError, match="is closed"):
            await connection.send(MetadataRequest([]))

        assert not connection.connected()


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_who_asks_over_a_closed_connection_is_told_at_once(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    closed.mend()
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(asked())


def test_it_is_mended_once() -> None:
    closed.mend()
    mended = AIOKafkaConnection.send
    closed.mend()

    assert AIOKafkaConnection.send is mended
