"""The client, in a process of its own: HTTP/1.1 over keep-alive connections, written by hand to cost next to nothing.

    python -m benchmarks.load <port> batch <first> <count> <connections>
    python -m benchmarks.load <port> mixed <first> <count> <connections> <connections for batches>
    python -m benchmarks.load <port> rate <rate> <seconds> <connections>

`mixed` is half as single posts, then half in batches. All requests are made before the clock starts, but in `rate`,
where each carries the time at which it was due. A 503 is asked again after a moment, as its sender would. Prints a list
of JSON objects, one for each kind of request; times are those of CLOCK_MONOTONIC.
"""

import asyncio
import json
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator

import uvloop

from benchmarks import mails
from benchmarks.options import BATCH

_ACCEPTED, _UNAVAILABLE = 202, 503
_PAUSE = 0.02


class _Connection(asyncio.Protocol):
    """Sends one request after another. `ask` gives the next, None if there is none now."""

    def __init__(self, ask: Callable[["_Connection"], bytes | None]) -> None:
        self._ask = ask
        self._request = b""
        self._answer = b""
        self._transport: asyncio.Transport | None = None
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.unavailable = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")  # noqa: S101 - uvloop's
        self._transport = transport  # type: ignore[assignment]

    def go_on(self) -> None:
        """Send the next request, if there is one."""
        request = self._ask(self)
        if request is not None:
            self.send(request)

    def send(self, request: bytes) -> None:
        """Send a request. The connection must have none under way."""
        assert self._transport is not None  # noqa: S101 - connected
        self._request = request
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, found, rest = self._answer.partition(b"\r\n\r\n")
        if not found:
            return
        _, _, length = head.lower().partition(b"content-length:")
        if len(rest) < int(length.partition(b"\r\n")[0]):
            return
        self._answer = b""
        self._answered(int(head[9:12]), rest)

    def _answered(self, status: int, body: bytes) -> None:
        if status == _ACCEPTED:
            self.go_on()
        elif status == _UNAVAILABLE:
            self.unavailable += 1
            asyncio.get_running_loop().call_later(_PAUSE, self.send, self._request)
        else:
            self._fail(f"answered {status}: {body[:300]!r}")

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(f"connection lost: {exc}")

    def done(self) -> None:
        """Say that there is nothing more to ask for."""
        if not self.ended.done():
            self.ended.set_result(None)

    def _fail(self, reason: str) -> None:
        if not self.ended.done():
            self.ended.set_exception(ConnectionError(reason))


async def _connected(port: int, count: int, ask: Callable[[_Connection], bytes | None]) -> list[_Connection]:
    loop = asyncio.get_running_loop()
    made = [await loop.create_connection(lambda: _Connection(ask), "127.0.0.1", port) for _ in range(count)]
    return [connection for _, connection in made]


async def flood(port: int, requests: list[bytes], connections: int) -> dict[str, float]:
    """Send the requests as fast as they are answered."""
    left: Iterator[bytes] = iter(requests)

    def ask(connection: _Connection) -> bytes | None:
        request = next(left, None)
        if request is None:
            connection.done()
        return request

    opened = await _connected(port, min(connections, len(requests)), ask)
    started = time.monotonic()
    for connection in opened:
        connection.go_on()
    await asyncio.gather(*(connection.ended for connection in opened))
    return {"started": started, "ended": time.monotonic(), "unavailable": sum(c.unavailable for c in opened)}


async def drip(port: int, rate: int, seconds: int, connections: int) -> dict[str, float]:
    """Send single posts at a steady rate, whatever the answers take."""
    loop = asyncio.get_running_loop()
    # In turn: one that is never used would be closed by the server.
    idle: deque[_Connection] = deque()
    late: deque[bytes] = deque()

    def ask(connection: _Connection) -> bytes | None:
        if late:
            return late.popleft()
        idle.append(connection)
        return None

    opened = await _connected(port, connections, ask)
    idle += opened
    started = time.monotonic()
    begin = loop.time()
    for number in range(rate * seconds):
        await asyncio.sleep(begin + number / rate - loop.time())
        request = mails.single(number, f"t{time.monotonic_ns()}t")
        if idle:
            idle.popleft().send(request)
        else:
            late.append(request)
    ended = time.monotonic()
    while len(idle) < connections:
        for broken in (connection.ended for connection in opened if connection.ended.done()):
            broken.result()
        await asyncio.sleep(_PAUSE)
    for connection in opened:
        connection.done()
    return {"started": started, "ended": ended}


async def mixed(port: int, numbers: range, connections: int, batch_connections: int) -> list[dict[str, float]]:
    """Send half as single posts, then half in batches."""
    half = len(numbers) // 2
    posts = [mails.single(n) for n in numbers[:half]]
    batches = list(mails.batches(numbers[half:], BATCH))
    return [await flood(port, posts, connections), await flood(port, batches, batch_connections)]


def main(arguments: list[str]) -> None:
    """Do what the command line says."""
    kind = arguments[1]
    port, first, count, connections = (int(arguments[place]) for place in (0, 2, 3, 4))
    numbers = range(first, first + count)
    if kind == "rate":
        told = [uvloop.run(drip(port, first, count, connections))]
    elif kind == "mixed":
        told = uvloop.run(mixed(port, numbers, connections, int(arguments[5])))
    else:
        told = [uvloop.run(flood(port, list(mails.batches(numbers, BATCH)), connections))]
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
