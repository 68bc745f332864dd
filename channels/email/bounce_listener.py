"""The listener for mail that comes back: a small LMTP or SMTP server, for our own mail server to deliver to."""

import asyncio
import logging
import socket
from typing import Literal, cast

from loguru import logger

from channels.email import bounce_dialogue
from channels.email.bounce_dialogue import Dialogue, Options
from channels.email.bounce_intake import BounceIntake
from channels.email.bounces_settings import BouncesSettings, listen_at
from tocsin.net.listening import bound

_MOST_CONNECTIONS = 64


class BounceListener:
    """A `tocsin.consume.loop.Loop`. `listening` is bound; it is closed at the end.

    It has no TLS and no accounts: what comes is believed for the token in its recipient.
    """

    name = "email.bounces"

    def __init__(
        self, listening: socket.socket, intake: BounceIntake, *, protocol: Literal["lmtp", "smtp"], max_bytes: int
    ) -> None:
        self._socket = listening
        self._options = Options(intake=intake, max_bytes=max_bytes)
        self._protocol = protocol
        self._open: set[Dialogue] = set()
        self._stopping = asyncio.Event()

    @property
    def port(self) -> int:
        """The port that was bound."""
        return int(self._socket.getsockname()[1])

    async def run(self) -> None:
        """Serve until stopped. What is under way then was not acknowledged, and comes again."""
        # aiosmtpd writes the whole dialogue, addresses included, to the standard logging.
        logging.getLogger("mail.log").setLevel(logging.CRITICAL)
        loop = asyncio.get_running_loop()
        make = bounce_dialogue.maker(self._options, lmtp=self._protocol == "lmtp", open_=self._open)
        server = await loop.create_server(lambda: make() if self._has_room() else _Full(), sock=self._socket)
        logger.info("bounces_listening", port=self.port, protocol=self._protocol)
        try:
            await self._stopping.wait()
        finally:
            server.close()
            await asyncio.gather(*(each.hang_up() for each in tuple(self._open)))
            await server.wait_closed()

    def stop(self) -> None:
        """See `Loop`."""
        self._stopping.set()

    def _has_room(self) -> bool:
        return len(self._open) < _MOST_CONNECTIONS


class _Full(asyncio.Protocol):
    """A connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        # A cast, because uvloop's transports are no subclasses of asyncio's.
        writing = cast(asyncio.WriteTransport, transport)
        writing.write(b"421 4.3.2 Too many connections\r\n")
        writing.close()


def listener(settings: BouncesSettings, intake: BounceIntake) -> BounceListener | None:
    """Return the listener that the settings ask for, bound to its port, or None. Raises SettingsError."""
    at = listen_at(settings)
    if at is None:
        return None
    return BounceListener(
        bound(*at, setting="bounces.listen"), intake, protocol=settings.protocol, max_bytes=settings.max_bytes
    )
