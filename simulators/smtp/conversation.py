"""One SMTP connection: aiosmtpd's protocol, with the faults that it has no hook for, and the carrying out of all."""

import asyncio
from collections import defaultdict
from datetime import timedelta
from typing import Any, NoReturn

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session, TLSSetupException, syntax

from simulators.smtp.faults import Fault, Faults
from simulators.smtp.options import Options
from tocsin.clock import Clock

_CLOSING = 421  # RFC 5321: whoever says so closes the connection


class Conversation(SMTP):
    """One connection. It stays in `open_` until its task has ended."""

    def __init__(
        self, hooks: object, *, options: Options, faults: Faults, clock: Clock, open_: "set[Conversation]"
    ) -> None:
        super().__init__(
            hooks,
            data_size_limit=options.max_message_bytes,
            enable_SMTPUTF8=True,
            hostname=options.hostname,
            ident="Tocsin SMTP simulator",
            tls_context=options.starttls,
            auth_require_tls=options.starttls is not None,
            auth_exclude_mechanism=() if options.credentials else ("LOGIN", "PLAIN"),
            authenticator=self._authenticate_account,
            loop=asyncio.get_running_loop(),
        )
        # aiosmtpd keeps these on the class, and every new connection clears what the others have raised.
        self.command_size_limits = defaultdict(lambda: SMTP.command_size_limit)
        self._options = options
        self._faults = faults
        self._clock = clock
        self._open = open_

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the conversation; after STARTTLS, go on with it."""
        super().connection_made(transport)
        if self not in self._open and self._handler_coroutine is not None:
            self._open.add(self)
            self._handler_coroutine.add_done_callback(self._ended)

    async def suffer(self, fault: Fault | None) -> str | None:
        """Carry a fault out. Returns the line that refuses, or None if the command may go on."""
        if fault is None:
            return None
        if fault.delay_seconds:
            await self._clock.sleep(timedelta(seconds=fault.delay_seconds))
        if fault.drop:
            await self._vanish()
        if fault.refusal is None:
            return None
        if fault.refusal.code == _CLOSING:
            await self._say_goodbye(fault.refusal.line)
        return fault.refusal.line

    async def hang_up(self) -> None:
        """Close the connection without a word and wait until its task has ended."""
        self._writer.transport.abort()
        if self._handler_coroutine is not None:
            # In the middle of a TLS handshake no `connection_lost` comes to cancel it.
            self._handler_coroutine.cancel()
            await asyncio.wait([self._handler_coroutine])

    async def handle_exception(self, error: Exception) -> str:
        """Answer after an error of ours, which is logged. That a client refused our certificate is none."""
        return "" if isinstance(error, TLSSetupException) else await super().handle_exception(error)

    @syntax("DATA")
    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        """Fail before the 354 if a fault says so: aiosmtpd has no hook there."""
        recipients = self.envelope.rcpt_tos if self.envelope else []
        refusal = await self.suffer(self._faults.at("data", recipients)) if recipients and not arg else None
        if refusal is None:
            await super().smtp_DATA(arg)
        else:
            await self.push(refusal)

    def _authenticate_account(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, given: Any
    ) -> AuthResult:
        account = self._options.credentials
        return AuthResult(success=account is not None and account.match(given), handled=False)

    async def _handle_client(self) -> None:
        refusal = await self.suffer(self._faults.at("connect"))
        if refusal is None:
            await super()._handle_client()
        else:
            await self._say_goodbye(refusal)

    async def _say_goodbye(self, line: str) -> NoReturn:
        await self.push(line)
        self._writer.close()
        await self._be_cancelled()

    async def _vanish(self) -> NoReturn:
        self._writer.transport.abort()
        await self._be_cancelled()

    async def _be_cancelled(self) -> NoReturn:
        """Stay here until `connection_lost` cancels the task: going on would write to a closed socket."""
        await self.loop.create_future()
        raise AssertionError("nobody resolves this future")

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._open.discard(self)
        if task.cancelled():
            return
        error = task.exception()
        # A client that goes away in the middle of an answer is its own business.
        if error is not None and not isinstance(error, ConnectionError):
            self.loop.call_exception_handler({"message": "SMTP simulator: conversation failed", "exception": error})
