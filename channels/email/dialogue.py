"""One mail over a connection that is held: MAIL, RCPT, DATA, the bytes, the final dot; each step's end is an outcome.

What matters is where it breaks. Until the server has answered DATA with 354 and bytes of the message begin to leave,
nothing was taken: Deferred. From then on it may have been: Unconfirmed (RFC 1047).
"""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

import aiosmtplib

from channels.email.codes import Phase
from channels.email.mail import Mail
from tocsin.outcome import Deferred, Outcome, Rejected, Unconfirmed

_OK = range(200, 300)
_START_INPUT = 354
_CLOSING = 421


class Result(NamedTuple):
    """What came of it, and whether the connection is still in step."""

    outcome: Outcome
    healthy: bool


def obstacle(client: aiosmtplib.SMTP, mail: Mail) -> Rejected | None:
    """Return why this server cannot take this mail, as far as its greeting says so: size (RFC 1870), SMTPUTF8."""
    if mail.needs_smtputf8 and not client.supports_extension("smtputf8"):
        return Rejected(
            reason="smtputf8_not_supported",
            scope="route",
            message="the server does not take addresses outside ASCII (SMTPUTF8)",
        )
    limit = client.esmtp_extensions.get("size", "").partition(" ")[0]
    if limit.isascii() and limit.isdigit() and 0 < int(limit[:18]) < mail.size:
        message = f"the mail has {mail.size} octets, the server takes {limit[:18]}"
        return Rejected(reason="message_too_large", scope="message", message=message)
    return None


class Dialogue:
    """The dialogue over one connection, up to a deadline (a time of `loop.time()`)."""

    def __init__(
        self,
        client: aiosmtplib.SMTP,
        *,
        deadline: float,
        command_timeout: float,
        read: Callable[[int, str, Phase], Outcome],
    ) -> None:
        self._client = client
        self._deadline = deadline
        self._command_timeout = command_timeout
        self._read = read
        self._loop = asyncio.get_running_loop()

    async def send(self, mail: Mail) -> Result:
        """Send the mail. Never raises but when cancelled; then, as when not healthy, the connection is to be closed."""
        envelope = await self._envelope(mail)
        return await self._content(mail.data) if envelope is None else envelope

    async def _envelope(self, mail: Mail) -> Result | None:
        """Say who it is from and for. Returns None once the server waits for the content."""
        encoding = "utf-8" if mail.needs_smtputf8 else "ascii"
        phase: Phase = "mail"
        try:
            async with asyncio.timeout_at(self._limit()) as timer:
                sender = f"FROM:<{mail.sender}>".encode(encoding)
                reply = await self._client.execute_command(b"MAIL", sender, *self._options(mail))
                if reply.code in _OK:
                    phase = "rcpt"
                    timer.reschedule(self._limit())
                    reply = await self._client.execute_command(b"RCPT", f"TO:<{mail.recipient}>".encode(encoding))
                if phase == "rcpt" and reply.code in _OK:
                    phase = "data"
                    timer.reschedule(self._limit())
                    reply = await self._client.execute_command(b"DATA")
                    if reply.code == _START_INPUT:
                        return None
        except aiosmtplib.SMTPResponseException as reply_error:
            return Result(self._read(reply_error.code, reply_error.message, phase), healthy=False)
        except TimeoutError:
            return Result(Deferred(cause=f"{phase}_timeout"), healthy=False)
        except (aiosmtplib.SMTPException, OSError):
            return Result(Deferred(cause="connection_lost"), healthy=False)
        return Result(self._read(reply.code, reply.message, phase), healthy=_in_step(reply.code))

    async def _content(self, data: bytes) -> Result:
        """Send the content and the final dot, and wait for the answer for as long as the attempt lasts."""
        protocol = self._client.protocol
        if protocol is None or not protocol.is_connected:
            return Result(Deferred(cause="connection_lost"), healthy=False)
        try:
            # Not `client.data`: it does not tell whether the message began to leave.
            protocol.write(data.replace(b"\r\n.", b"\r\n..") + b".\r\n")
            async with asyncio.timeout_at(self._deadline):
                reply = await protocol.read_response()
        except (aiosmtplib.SMTPException, OSError):
            return Result(Unconfirmed(phase="data"), healthy=False)
        return Result(self._read(reply.code, reply.message, "body"), healthy=_in_step(reply.code))

    def _limit(self) -> float:
        """Return until when the next command may take."""
        return min(self._deadline, self._loop.time() + self._command_timeout)

    def _options(self, mail: Mail) -> list[bytes]:
        options = []
        if self._client.supports_extension("size"):
            options.append(b"SIZE=%d" % mail.size)
        if mail.needs_smtputf8:
            options.append(b"SMTPUTF8")
            if self._client.supports_extension("8bitmime"):
                options.append(b"BODY=8BITMIME")
        return options


def _in_step(code: int) -> bool:
    """Return whether the dialogue can go on after this reply: it was one, and the server did not say good-bye."""
    return code in range(200, 600) and code // 100 != 3 and code != _CLOSING  # noqa: PLR2004 - 3yz wants more input
