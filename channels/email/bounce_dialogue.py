"""One connection of a mail server that brings back mail: LMTP (RFC 2033) or SMTP (RFC 5321), one recipient a mail.

A mail is acknowledged once its receipt is durable; until then the server keeps it, and comes again.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple, Protocol

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session
from loguru import logger

from channels.email.bounce_intake import BounceIntake
from channels.email.reference import Reference
from tocsin.errors import LogError

_MOST_PIECE = 64 * 1024
_LINES_AT_A_TIME = 1000
_SECONDS = 120.0
_LATER = "451 4.3.0 It cannot be kept now, try again later"
_COMMANDS = {"*": 200}


class Options(NamedTuple):
    """What a dialogue is made with."""

    intake: BounceIntake
    max_bytes: int


class _Hooks:
    """What aiosmtpd calls at each command of one connection. The names are aiosmtpd's."""

    def __init__(self, options: Options) -> None:
        self._intake = options.intake
        self._reference: Reference | None = None

    async def handle_EHLO(  # noqa: N802
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, lines: list[str]
    ) -> list[str]:
        """Greet back. aiosmtpd offers AUTH even where there is no account to log in to."""
        session.host_name = hostname
        return [line for line in lines if not line.startswith("250-AUTH")]

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, recipient: str, _options: list[str]
    ) -> str:
        """Take a recipient, if it is a return path of ours."""
        if envelope.rcpt_tos:
            # Of several, one may be kept and another not; a client brings the others right after.
            return "452 4.5.3 One recipient at a time"
        self._reference = self._intake.reference(recipient)
        if self._reference is None:
            return "550 5.1.1 This is no return path of ours"
        envelope.rcpt_tos.append(recipient)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take the message, after its final dot."""
        try:
            await self._intake.take(envelope.original_content or b"", arrived_for=self._reference)
        except LogError:
            return _LATER
        return "250 2.0.0 OK"

    async def handle_exception(self, error: Exception) -> str:
        """Answer after a bug of ours: the mail is to come again, when it may be mended."""
        logger.opt(exception=error).error("bounce_dialogue_failed")
        return _LATER


class Dialogue(Protocol):
    """A connection, as its listener sees it."""

    async def hang_up(self) -> None:
        """Close it, and wait until its task has ended."""


class _Kept(SMTP):
    """A connection that its listener knows, up to the end of its task."""

    # How much of a line is read at a time.
    line_length_limit = _MOST_PIECE

    def __init__(self, options: Options, open_: "set[Dialogue]") -> None:
        super().__init__(
            _Hooks(options),
            data_size_limit=options.max_bytes,
            enable_SMTPUTF8=True,
            hostname="tocsin",
            ident="Tocsin takes bounces",
            auth_exclude_mechanism=("LOGIN", "PLAIN"),
            command_call_limit=_COMMANDS,
            timeout=_SECONDS,
            loop=asyncio.get_running_loop(),
        )
        # aiosmtpd keeps these on the class, and every new connection clears what the others have raised.
        self.command_size_limits = defaultdict(lambda: SMTP.command_size_limit)
        self._open = open_

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        super().connection_made(transport)
        if self._handler_coroutine is not None:
            self._open.add(self)
            self._handler_coroutine.add_done_callback(self._ended)

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        """See the base: nothing for what is no address. Where one breaks off, the parser that it uses has bugs."""
        try:
            found: tuple[str | None, str | None] = super()._getaddr(arg)
        except (IndexError, AttributeError, NameError):
            return None, None
        return found

    async def smtp_DATA(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd's
        """Take a message. aiosmtpd's own keeps whatever comes without a line's end, beyond all bounds."""
        if await self.check_helo_needed():
            return
        if self.envelope is None or not self.envelope.rcpt_tos:
            await self.push("503 5.5.1 Error: need RCPT command")
            return
        if arg:
            await self.push("501 5.5.4 Syntax: DATA")
            return
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        content = await self._content()
        self.envelope.original_content = content
        status = "552 5.3.4 Too much mail data" if content is None else await self._call_handler_hook("DATA")
        self.envelope = self._create_envelope()
        await self.push(status)

    async def _content(self) -> bytes | None:
        """Return what comes up to the final dot (RFC 5321, section 4.5.2), None if it is too much, which is not kept.

        Lines may be longer than RFC 5321 allows, as those of returned headers are; it is not for us to refuse them.
        """
        kept, whole, begins = bytearray(), True, True
        lines = 0
        while True:
            lines += 1
            if not lines % _LINES_AT_A_TIME:
                await asyncio.sleep(0)  # what has come already is read without waiting
            try:
                piece, ends = await self._reader.readuntil(b"\r\n"), True
            except asyncio.LimitOverrunError as error:
                piece, ends = await self._reader.readexactly(error.consumed), False
            if begins and piece == b".\r\n":
                return bytes(kept) if whole else None
            piece = piece[1:] if begins and piece.startswith(b".") else piece
            begins = ends
            whole = whole and len(kept) + len(piece) <= (self.data_size_limit or 0)
            if whole:
                kept += piece
            else:
                kept.clear()

    async def hang_up(self) -> None:
        """Close the connection, and wait until its task has ended."""
        self._writer.transport.abort()
        if self._handler_coroutine is not None:
            self._handler_coroutine.cancel()
            await asyncio.wait([self._handler_coroutine])

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._open.discard(self)
        if task.cancelled():
            return
        error = task.exception()
        # A client that goes away in the middle of an answer is its own business.
        if error is not None and not isinstance(error, ConnectionError):
            logger.opt(exception=error).error("bounce_dialogue_failed")


class _KeptLmtp(_Kept, LMTP):
    """The same over LMTP. With one recipient there is one answer to a mail, as over SMTP."""


def maker(options: Options, *, lmtp: bool, open_: "set[Dialogue]") -> Callable[[], asyncio.Protocol]:
    """Return what makes a dialogue for each connection. Each is in `open_` for as long as it lasts."""
    kind = _KeptLmtp if lmtp else _Kept
    return lambda: kind(options, open_)
