"""Makes an HTTP/2 connection: TCP, TLS with ALPN `h2`, the peer's settings. It is ready, or NotSent says why not."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from channels.push.h2_connection import ConnectionPolicy, Http2Connection
from tocsin.net.http import NotSent
from tocsin.net.origin import Origin

_ALPN = "h2"


def tls_context(*, ca_file: str | None = None, ca: str | None = None) -> ssl.SSLContext:
    """Return a context that verifies the peer and offers HTTP/2 alone.

    `ca_file` and `ca` (PEM) are certificates to trust instead of the system's. Raises OSError if they are none.
    """
    context = ssl.create_default_context(cafile=ca_file, cadata=ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 9113, section 9.2
    context.set_alpn_protocols([_ALPN])
    return context


@dataclass(frozen=True, slots=True, kw_only=True)
class Http2Dialler:
    """Makes connections to one origin. `timeout` is for all of it, in seconds."""

    origin: Origin
    context: ssl.SSLContext
    policy: ConnectionPolicy
    timeout: float

    async def dial(self, on_change: Callable[[], None]) -> Http2Connection:
        """Return a connection that is ready. Raises NotSent; what is not returned is closed, cancelled or not."""
        made = Http2Connection(self.policy, on_change)
        try:
            async with asyncio.timeout(self.timeout):
                transport, _ = await asyncio.get_running_loop().create_connection(
                    lambda: made,
                    self.origin.host,
                    self.origin.port,
                    ssl=self.context,
                    server_hostname=self.origin.host,
                )
                _demand_http2(transport)
                await made.ready
        except NotSent:
            made.abort("not_ready")
            raise
        except (OSError, ValueError) as error:
            made.abort("not_ready")
            raise _failure(error) from error
        except BaseException:
            made.abort("not_ready")
            raise
        return made


def _demand_http2(transport: asyncio.Transport) -> None:
    found: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    if found is None or found.selected_alpn_protocol() != _ALPN:
        raise NotSent("no_http2", ours=True, detail="the server does not speak HTTP/2 (ALPN h2) here")


def _failure(error: Exception) -> NotSent:
    match error:
        case TimeoutError():
            return NotSent("connect_timeout")
        case ssl.SSLCertVerificationError():
            # Without the name that it was compared with.
            why = error.verify_message.partition(",")[0]
            return NotSent("tls_failed", ours=True, detail=f"the server's certificate is not trusted: {why}"[:300])
        case ssl.SSLError() | ConnectionResetError() | ConnectionAbortedError():
            # Connecting as such ends otherwise: the server dropped it in the handshake.
            return NotSent("tls_failed")
        case socket.gaierror():
            return NotSent("name_resolution")
        case ConnectionRefusedError():
            return NotSent("connection_refused")
        case _:
            return NotSent("connect_failed")
