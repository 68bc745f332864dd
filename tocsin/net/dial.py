"""New connections: resolve the name, ask the guard, connect to an address that was judged, speak TLS."""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence

from tocsin.net.connection import Connection
from tocsin.net.guard import Guard
from tocsin.net.http import NotSent
from tocsin.net.origin import Origin

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host, the preferred first. Raises OSError if there are none."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system for the addresses of a host."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Dialler:
    """Makes connections. The TLS name is the URL's, whatever address it is reached at."""

    def __init__(
        self,
        *,
        context: ssl.SSLContext,
        guard: Guard | None,
        resolve: Resolve,
        connect_timeout_seconds: float,
        max_body: int,
    ) -> None:
        self._context = context
        self._guard = guard
        self._resolve = resolve
        self._timeout = connect_timeout_seconds
        self._max_body = max_body

    async def dial(self, origin: Origin, deadline: float) -> Connection:
        """Return a connection that is ready by `deadline` (a time of `loop.time()`). Raises NotSent.

        Whatever happens, cancellation included, a connection that is not returned is closed.
        """
        limit = min(deadline, asyncio.get_running_loop().time() + self._timeout)
        late = "name_resolution"
        try:
            async with asyncio.timeout_at(limit):
                addresses = await self._addresses(origin)
                late = "connect_timeout"
                return await self._first(origin, addresses, limit)
        except TimeoutError:
            raise NotSent("deadline" if limit == deadline else late) from None

    async def _addresses(self, origin: Origin) -> Sequence[str]:
        """Return the addresses of the origin's host, all of which may be connected to."""
        addresses: Sequence[str] = [origin.host]
        if not _is_address(origin.host):
            try:
                addresses = await self._resolve(origin.host, origin.port)
            except OSError:
                addresses = []
        if not addresses:
            raise NotSent("name_resolution")
        guard = self._guard
        if guard is not None and not all(guard.admits(origin.host, origin.port, address) for address in addresses):
            raise NotSent("refused_by_guard")
        return addresses

    async def _first(self, origin: Origin, addresses: Sequence[str], limit: float) -> Connection:
        """Return a connection to the first address that takes one; each has its share of the time that is left."""
        loop = asyncio.get_running_loop()
        failure = NotSent("connect_failed")
        for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
            try:
                async with asyncio.timeout((limit - loop.time()) / left if left > 1 else None):
                    return await self._connect(origin, address)
            except OSError as error:  # TimeoutError is one
                failure = _failure(error, tls=origin.scheme == "https")
        raise failure

    async def _connect(self, origin: Origin, address: str) -> Connection:
        loop = asyncio.get_running_loop()
        secure = origin.scheme == "https"
        _, connection = await loop.create_connection(
            lambda: Connection(max_body=self._max_body),
            address,
            origin.port,
            ssl=self._context if secure else None,
            server_hostname=origin.host if secure else None,
        )
        return connection


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _failure(error: OSError, *, tls: bool) -> NotSent:
    """Return why a connection could not be made. The error's own text may name addresses, so it is not told."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return NotSent("tls_failed", ours=True, detail=_why(error))
    # A server that drops the connection in the handshake resets or aborts it; connecting as such ends otherwise.
    if isinstance(error, ssl.SSLError) or (tls and isinstance(error, ConnectionResetError | ConnectionAbortedError)):
        return NotSent("tls_failed")
    if isinstance(error, ConnectionRefusedError):
        return NotSent("connection_refused")
    return NotSent("connect_timeout" if isinstance(error, TimeoutError) else "connect_failed")


def _why(error: ssl.SSLCertVerificationError) -> str:
    """Return OpenSSL's words for what is wrong with a certificate, without the name it was compared with."""
    return f"the server's certificate is not trusted: {error.verify_message.partition(',')[0]}"[:300]
