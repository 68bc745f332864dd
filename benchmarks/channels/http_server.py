"""Twilio, FCM with Google's token endpoint, and a push service, in as little work as can be.

    python -m benchmarks.channels.http_server <port>

It takes HTTP/1.1 over kept connections, looks at the path, and gives the answer of whom that path is.
"""

import asyncio
import contextlib
import re
import sys
from typing import cast

import uvloop

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CLOSES = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)

_TWILIO = (
    b'{"account_sid":"AC00000000000000000000000000000000","api_version":"2010-04-01","body":"Hello",'
    b'"date_created":"Thu, 24 Aug 2023 05:01:45 +0000","date_sent":null,'
    b'"date_updated":"Thu, 24 Aug 2023 05:01:45 +0000","direction":"outbound-api","error_code":null,'
    b'"error_message":null,"from":"+4915799999999","num_media":"0","num_segments":"1","price":null,'
    b'"price_unit":null,"messaging_service_sid":null,"sid":"SM00000000000000000000000000000000",'
    b'"status":"queued","subresource_uris":{"media":"/2010-04-01/Accounts/AC0/Messages/SM0/Media.json"},'
    b'"to":"+4915790000000","uri":"/2010-04-01/Accounts/AC0/Messages/SM0.json"}'
)
_FCM = b'{"name":"projects/tocsin-demo/messages/0:1500415314455276%31bd1c9631bd1c96"}'
_TOKEN = b'{"access_token":"' + b"y" * 200 + b'","expires_in":3599,"token_type":"Bearer"}'
_JSON = b"Content-Type: application/json\r\n"


def _answer(status: bytes, headers: bytes, body: bytes) -> bytes:
    length = str(len(body)).encode()
    return b"HTTP/1.1 " + status + b"\r\n" + headers + b"Content-Length: " + length + b"\r\n\r\n" + body


_ANSWERS = {
    b"/2010-04-01/": _answer(b"201 Created", _JSON, _TWILIO),
    b"/v1/projects": _answer(b"200 OK", _JSON, _FCM),
    b"/token HTTP/": _answer(b"200 OK", _JSON, _TOKEN),
    b"/push/": _answer(b"201 Created", b"Location: /message/1\r\nTTL: 3600\r\n", b""),
}
_NOBODY = _answer(b"404 Not Found", b"", b"")


class _Connection(asyncio.Protocol):
    """One connection. Requests may come in pieces, and several at a time."""

    def __init__(self) -> None:
        self._buffer = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast, because uvloop's transports are no subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end]
            found = _LENGTH.search(head)
            size = end + 4 + (int(found[1]) if found else 0)
            if len(self._buffer) < size:
                return
            self._buffer = self._buffer[size:]
            path = head[head.find(b" ") + 1 :]
            self._transport.write(next((_ANSWERS[name] for name in _ANSWERS if path.startswith(name)), _NOBODY))
            if _CLOSES.search(head):
                self._transport.close()


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", port, backlog=1000)
    await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_serve(int(sys.argv[1])))
