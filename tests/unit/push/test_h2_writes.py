"""How requests leave: together, and on another connection once this one has no stream ids left."""

import asyncio

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived

from channels.push.h2_connection import ConnectionPolicy, Http2Connection
from channels.push.h2_frames import LARGEST
from tests.support.waiting import until
from tests.unit.push.h2_clients import pool, post
from tests.unit.push.h2_talks import HEADERS, OK
from tests.unit.push.scripted_h2 import serving


class Wire(asyncio.Transport):
    """What the connection writes, write by write."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return False

    def abort(self) -> None:
        """There is nothing to cut."""


async def test_what_is_sent_in_one_turn_of_the_loop_leaves_in_one_write() -> None:
    server = H2Connection(H2Configuration(client_side=False))
    server.initiate_connection()
    wire = Wire()
    connection = Http2Connection(ConnectionPolicy(streams=100, ping_after=30, ping_timeout=5), lambda: None)
    connection.connection_made(wire)
    connection.data_received(server.data_to_send())
    await until(lambda: len(wire.written) == 2, what="the preface, and the acknowledgement of the server's settings")
    deadline = asyncio.get_running_loop().time() + 20
    server.receive_data(b"".join(wire.written))
    wire.written.clear()
    calls = []
    for _ in range(20):
        connection.hold()
        calls.append(asyncio.create_task(connection.exchange(HEADERS, b"{}", deadline=deadline)))
    await until(lambda: wire.written, what="the requests")

    [written] = wire.written
    requests = [event for event in server.receive_data(written) if isinstance(event, RequestReceived)]
    assert len(requests) == 20
    for request in requests:
        server.send_headers(request.stream_id or 0, OK, end_stream=True)
    connection.data_received(server.data_to_send())
    assert [answer.status for answer in await asyncio.gather(*calls)] == [200] * 20
    connection.abort("done")


async def test_a_connection_whose_stream_ids_are_used_up_is_replaced() -> None:
    async with serving() as server, pool(server.port) as client:
        await post(client, server.port)
        client._live[0]._machine._last_id = LARGEST
        assert (await post(client, server.port)).status == 200
        await asyncio.wait_for(server.peers[0].lost.wait(), 5)

    assert [len(peer.heard) for peer in server.peers] == [1, 1]
