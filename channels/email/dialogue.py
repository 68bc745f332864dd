"""One mail over a connection that is held: MAIL, RCPT, DATA, the bytes, the final dot; each step's end is an outcome.

What matters is where it breaks. Until the server has answered DATA with 354 and bytes of the message begin to leave,
nothing was taken: Deferred. From then on it may have been: Unconfirmed (RFC 1047).
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from channels.email import xtext
from channels.email.codes import Phase
from channels.email.mail import Mail
from channels.email.wire import Reply, Wire, WireLostError
from tocsin.outcome import Deferred, Outcome, Rejected, Unconfirmed

_OK = range(200, 300)
_START_INPUT = 354
_CLOSING = 421
# At the start of a line; it is doubled (RFC 5321, section 4.5.2).
_DOT = re.compile(rb"\r\n\.")


class Result(NamedTuple):
    """What came of it, and whether the connection is still in step."""

    outcome: Outcome
    healthy: bool


def obstacle(wire: Wire, mail: Mail) -> Rejected | None:
    """Return why this server cannot take this mail, as far as its greeting says so: size (RFC 1870), SMTPUTF8."""
    if mail.needs_smtputf8 and not wire.supports("smtputf8"):
        return Rejected(
            reason="smtputf8_not_supported",
            scope="route",
            message="the server does not take addresses outside ASCII (SMTPUTF8)",
        )
    if 0 < wire.size_limit < mail.size:
        message = f"the mail has {mail.size} octets, the server takes {wire.size_limit}"
        return Rejected(reason="message_too_large", scope="message", message=message)
    return None


class Dialogue:
    """The dialogue over one connection, up to a deadline (a time of `loop.time()`)."""

    def __init__(
        self,
        wire: Wire,
        *,
        deadline: float,
        command_timeout: float,
        read: Callable[[int, str, Phase], Outcome],
    ) -> None:
        self._wire = wire
        self._deadline = deadline
        self._command_timeout = command_timeout
        self._read = read

    async def send(self, mail: Mail) -> Result:
        """Send the mail. Never raises but when cancelled; then, as when not healthy, the connection is to be closed."""
        envelope = await self._envelope(mail)
        return await self._content(mail.data) if envelope is None else envelope

    async def _envelope(self, mail: Mail) -> Result | None:
        """Say who it is from and for. Returns None once the server waits for the content."""
        commands = self._commands(mail)
        phase: Phase = "mail"
        reply = Reply(_START_INPUT, "")
        try:
            if self._wire.pipelining:
                self._wire.write(b"".join(commands.values()))
            refused: tuple[Phase, Reply] | None = None
            for phase, command in commands.items():
                if not self._wire.pipelining:
                    self._wire.write(command)
                reply = await self._wire.reply(by=self._deadline, within=self._command_timeout)
                good = reply.code == _START_INPUT if phase == "data" else reply.code in _OK
                if not good and refused is None:
                    refused = phase, reply
                if reply.code == _CLOSING or (refused and not self._wire.pipelining):
                    break
        except TimeoutError:
            return Result(Deferred(cause=f"{phase}_timeout"), healthy=False)
        except WireLostError:
            return Result(Deferred(cause="connection_lost"), healthy=False)
        if refused is None:
            return None
        told_at, told = refused
        # A server that wants content although it refused the envelope (RFC 2920, section 3.1) is out of step with us.
        return Result(
            self._read(told.code, told.message, told_at), healthy=_in_step(told.code) and _in_step(reply.code)
        )

    async def _content(self, data: bytes) -> Result:
        """Send the content and the final dot, and wait for the answer for as long as the attempt lasts."""
        try:
            self._wire.write(_DOT.sub(b"\r\n..", data) + b".\r\n")
        except WireLostError:
            return Result(Deferred(cause="connection_lost"), healthy=False)
        try:
            reply = await self._wire.reply(by=self._deadline)
        except (WireLostError, TimeoutError):
            return Result(Unconfirmed(phase="data"), healthy=False)
        return Result(self._read(reply.code, reply.message, "body"), healthy=_in_step(reply.code))

    def _commands(self, mail: Mail) -> dict[Phase, bytes]:
        """Return the commands of the envelope, with their line ends, in order."""
        encoding = "utf-8" if mail.needs_smtputf8 else "ascii"
        sender = " ".join([f"MAIL FROM:<{mail.sender}>", *self._options(mail)])
        recipient = " ".join([f"RCPT TO:<{mail.recipient}>", *self._wishes(mail)])
        both = sender + recipient
        if "\r" in both or "\n" in both:
            raise ValueError("an address holds a line break")
        return {
            "mail": f"{sender}\r\n".encode(encoding),
            "rcpt": f"{recipient}\r\n".encode(encoding),
            "data": b"DATA\r\n",
        }

    def _options(self, mail: Mail) -> list[str]:
        options = []
        if self._wire.supports("size"):
            options.append(f"SIZE={mail.size}")
        if mail.needs_smtputf8:
            options.append("SMTPUTF8")
            if self._wire.supports("8bitmime"):
                options.append("BODY=8BITMIME")
        if self._asks_for_reports(mail):
            # The headers are enough for us, and the content is nobody's business on its way back.
            options += ["RET=HDRS", f"ENVID={xtext.encode(mail.envelope_id or '')}"]
        return options

    def _wishes(self, mail: Mail) -> list[str]:
        """Return what we want to be told of the recipient (RFC 3461, section 4)."""
        if not self._asks_for_reports(mail):
            return []
        wishes = ["NOTIFY=FAILURE,DELAY"]
        if mail.recipient.isascii():
            wishes.append(f"ORCPT=rfc822;{xtext.encode(mail.recipient)}")
        return wishes

    def _asks_for_reports(self, mail: Mail) -> bool:
        return mail.envelope_id is not None and self._wire.supports("dsn")


def _in_step(code: int) -> bool:
    """Return whether the dialogue can go on after this reply: it was one, and the server did not say good-bye."""
    return code in range(200, 600) and code // 100 != 3 and code != _CLOSING  # noqa: PLR2004 - 3yz wants more input
