"""The listening socket, in the running loop: no threads. Several servers may run side by side."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from simulators.smtp.conversation import Conversation
from simulators.smtp.faults import Faults
from simulators.smtp.hooks import Hooks
from simulators.smtp.mailbox import Mailbox
from simulators.smtp.options import Options
from simulators.smtp.returning import Returner
from tocsin.clock import Clock
from tocsin.errors import SettingsError

_HANDSHAKE_SECONDS = 5.0


@asynccontextmanager
async def listening(
    *,
    mailbox: Mailbox,
    faults: Faults,
    clock: Clock,
    returner: Returner | None = None,
    options: Options | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[int]:
    """Serve SMTP, with TLS from the first byte if `tls` is given, and yield the port that was bound (0: any free one).

    With a `returner` it tells later of mail that it could not deliver.
    On leaving, every connection is cut and every task has ended. Raises SettingsError if the port cannot be bound.
    """
    _hush_aiosmtpd()
    open_: set[Conversation] = set()
    options = options or Options()
    hooks = Hooks(options=options, mailbox=mailbox, faults=faults, returner=returner)

    def converse() -> Conversation:
        return Conversation(hooks, options=options, faults=faults, clock=clock, open_=open_)

    server = await _bind(converse, host=host, port=port, tls=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.gather(*(conversation.hang_up() for conversation in tuple(open_)))
        await server.wait_closed()


async def _bind(
    converse: Callable[[], Conversation], *, host: str, port: int, tls: ssl.SSLContext | None
) -> asyncio.Server:
    try:
        # A client that never finishes its handshake must not hold up the end of the server.
        handshake = _HANDSHAKE_SECONDS if tls else None
        loop = asyncio.get_running_loop()
        return await loop.create_server(converse, host, port, ssl=tls, ssl_handshake_timeout=handshake)
    except OSError as error:
        raise SettingsError(f"the SMTP simulator cannot listen on {host}:{port}: {error.strerror}") from error


def _hush_aiosmtpd() -> None:
    """Let only errors through: aiosmtpd writes the whole dialogue, addresses included, to the standard logging."""
    logging.getLogger("mail.log").setLevel(logging.ERROR)
