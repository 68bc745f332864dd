"""One connection to the server: connect, TLS, greeting, authentication. It is ready for MAIL FROM, or an outcome.

TLS is demanded, never opportunistic: a server (or somebody between) that offers none gets no message. AUTH is tried
with the one configured mechanism, and only over TLS.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import aiosmtplib

from channels.email.codes import Phase, Reading, Table
from channels.email.settings import EmailSettings
from channels.email.wire import Wire, WireLostError
from tocsin.outcome import Deferred, Misconfigured, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What AUTH proves."""

    username: str
    password: str


class Dialler:
    """Makes connections by the settings. `context` is None exactly if `tls` is "none"."""

    def __init__(
        self,
        *,
        settings: EmailSettings,
        context: ssl.SSLContext | None,
        credentials: Credentials | None,
        read: Callable[[int, str, Phase], Outcome],
    ) -> None:
        self._settings = settings
        self._context = context
        self._credentials = credentials
        self._read = read
        self._helo_name = settings.helo_name

    async def dial(self, deadline: float) -> Wire | Outcome:
        """Return a connection that is ready by `deadline` (a time of `loop.time()`), or why there is none.

        Whatever happens, cancellation included, a connection that is not returned is closed.
        """
        loop = asyncio.get_running_loop()
        limit = min(deadline, loop.time() + self._settings.connect_timeout_seconds)
        dialling = _Dialling(self._client())
        try:
            async with asyncio.timeout_at(limit):
                outcome = await self._prepare(dialling)
        except TimeoutError:
            outcome = Deferred(cause=f"{dialling.phase}_timeout")
        except aiosmtplib.SMTPResponseException as reply:
            outcome = self._read(reply.code, reply.message, dialling.phase)
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            # ValueError: a CRAM-MD5 challenge that is not base64.
            outcome = _failure(error, dialling.phase)
        except BaseException:
            drop(dialling.client)
            raise
        if outcome is not None:
            drop(dialling.client)
            return outcome
        self._helo_name = dialling.client.local_hostname
        try:
            return Wire(dialling.client)
        except WireLostError:
            return Deferred(cause="connection_lost")

    def _client(self) -> aiosmtplib.SMTP:
        settings = self._settings
        return aiosmtplib.SMTP(
            hostname=settings.host,
            port=settings.port,
            local_hostname=self._helo_name,
            # The one limit is `timeout_at` above. The library's own is `wait_for`, which on Python 3.11 loses a
            # cancellation that comes together with a reply.
            timeout=None,
            use_tls=settings.tls == "implicit",
            start_tls=False,
            tls_context=self._context,
        )

    async def _prepare(self, dialling: "_Dialling") -> Outcome | None:
        """Take the connection through its phases. Returns None if it is ready."""
        client = dialling.client
        await client.connect()
        dialling.phase = "helo"
        await self._greet(client)
        if self._settings.tls == "starttls":
            dialling.phase = "tls"
            if not client.supports_extension("starttls"):
                return Misconfigured(detail="the server offers no STARTTLS, which `tls` demands")
            await client.starttls()
            dialling.phase = "helo"
            await self._greet(client)
        if self._credentials is None:
            return None
        dialling.phase = "auth"
        return await self._authenticate(client, self._credentials)

    async def _greet(self, client: aiosmtplib.SMTP) -> None:
        """Say EHLO, and HELO to a server so old that it knows no EHLO (RFC 5321, section 3.2)."""
        try:
            await client.ehlo()
        except aiosmtplib.SMTPHeloError as reply:
            if reply.code // 100 != 5 or not client.is_connected:  # noqa: PLR2004 - 5yz
                raise
            await client.helo()

    async def _authenticate(self, client: aiosmtplib.SMTP, credentials: Credentials) -> Outcome | None:
        mechanism = self._settings.auth
        if mechanism not in client.server_auth_methods:
            offered = ", ".join(sorted(client.server_auth_methods)) or "none"
            return Misconfigured(detail=f"the server does not offer AUTH {mechanism}; offered: {offered[:100]}")
        proofs = {
            "plain": client.auth_plain,
            "login": client.auth_login,
            "cram-md5": client.auth_crammd5,
        }
        await proofs[mechanism](credentials.username, credentials.password)
        return None


def drop(client: aiosmtplib.SMTP) -> None:
    """Close a connection at once: no QUIT, no TLS good-bye that a dead server could keep waiting for."""
    transport = client.transport
    client.close()
    if transport is not None:
        # A cast, because uvloop's transports are no subclasses of asyncio's.
        cast(asyncio.WriteTransport, transport).abort()


class _Dialling:
    """A connection being made, and the phase it is in."""

    __slots__ = ("client", "phase")

    def __init__(self, client: aiosmtplib.SMTP) -> None:
        self.client = client
        self.phase: Phase = "connect"


def reading(table: Table, on_unmapped: Callable[[str], None]) -> Callable[[int, str, Phase], Outcome]:
    """Return the table as a function of a reply, that tells `on_unmapped` the codes which it does not know."""

    def read(code: int, text: str, phase: Phase) -> Outcome:
        found: Reading = table.classify(code, text, phase)
        if not found.mapped:
            on_unmapped(found.outcome.code)
        return found.outcome

    return read


def _failure(error: Exception, phase: Phase) -> Outcome:
    """Return the outcome of a connection that failed without a reply. `connect` hides the TLS error in its cause."""
    for cause in (error, error.__cause__):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Misconfigured(detail=f"the server's certificate is not trusted: {cause.verify_message}"[:300])
        if isinstance(cause, ssl.SSLError):
            return Misconfigured(detail=f"TLS failed: {cause.reason or 'the server does not speak it here'}"[:300])
        if isinstance(cause, socket.gaierror):
            return Deferred(cause="name_resolution")
        if isinstance(cause, ConnectionRefusedError):
            return Deferred(cause="connection_refused")
    if isinstance(error, aiosmtplib.SMTPTimeoutError):
        return Deferred(cause=f"{phase}_timeout")
    return Deferred(cause=f"{phase}_failed")
