"""APNs, in as little work as HTTP/2 over TLS can be: every push is taken.

    python -m benchmarks.channels.apns_server <port> <directory>

Before it listens it writes what clients need into the directory: `key.p8`, with which they sign, and `ca.pem`.
"""

import asyncio
import contextlib
import ssl
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import uvloop
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings

from simulators.apns import credentials

_STREAMS = 1_000


class _Connection(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._h2 = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        self._ids: dict[int, bytes] = {}
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast, because uvloop's transports are no subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._h2.local_settings = Settings(client=False, initial_values={SettingCodes.MAX_CONCURRENT_STREAMS: _STREAMS})
        self._h2.initiate_connection()
        self._transport.write(self._h2.data_to_send())

    def data_received(self, data: bytes) -> None:
        try:
            events = self._h2.receive_data(data)
        except ProtocolError:
            self._transport.close()
            return
        for event in events:
            match event:
                case RequestReceived(stream_id=int(stream), headers=headers):
                    self._ids[stream] = dict(cast(Sequence[tuple[bytes, bytes]], headers)).get(b"apns-id", b"")
                case DataReceived(stream_id=int(stream), flow_controlled_length=length):
                    self._h2.acknowledge_received_data(length or 0, stream)
                case StreamEnded(stream_id=int(stream)):
                    answer = [(b":status", b"200"), (b"apns-id", self._ids.pop(stream))]
                    self._h2.send_headers(stream, answer, end_stream=True)
                case _:
                    pass
        if told := self._h2.data_to_send():
            self._transport.write(told)


async def _serve(port: int, context: ssl.SSLContext) -> None:
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", port, ssl=context)
    await server.serve_forever()


def main() -> None:
    """Write the credentials, then serve until told to stop."""
    port, directory = int(sys.argv[1]), Path(sys.argv[2])
    made = credentials.generate(datetime.now(UTC))
    (directory / "key.p8").write_text(made.key_pem())
    (directory / "ca.pem").write_text(made.ca_pem())
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_serve(port, made.server_context()))


if __name__ == "__main__":
    main()
