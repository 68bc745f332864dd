"""Sending by the SMTP provider to a scripted server."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from channels.email.mail import Mail
from channels.email.settings import EmailSettings
from channels.email.smtp import SmtpProvider
from tests.integration.scripted_smtp import ScriptedServer
from tocsin.errors import NotClaimed
from tocsin.outcome import Outcome

Start = Callable[..., Awaitable[ScriptedServer]]
MAIL = Mail(
    sender="shop@example.com",
    recipient="ada@example.com",
    data=b"Subject: x\r\n\r\n.dot\r\n",
    size=20,
    needs_smtputf8=False,
)


class Claims:
    """Counts claims, and notes what the server had heard when the claim was made."""

    def __init__(self, server: ScriptedServer, *, refuse: bool = False) -> None:
        self._server = server
        self._refuse = refuse
        self.heard: list[list[str]] = []

    async def __call__(self) -> None:
        self.heard.append(self._server.verbs())
        if self._refuse:
            raise NotClaimed("settled before")


def make(port: int, **changes: Any) -> SmtpProvider:
    arguments: dict[str, Any] = {"tls": "none", "helo_name": "client.example.com", "connections": 1}
    monotonic = changes.pop("monotonic", time.monotonic)
    unmapped = changes.pop("unmapped", [])
    settings = EmailSettings(port=port, **(arguments | changes))
    return SmtpProvider(settings, monotonic=monotonic, on_unmapped=unmapped.append)


@asynccontextmanager
async def provider(port: int, **changes: Any) -> AsyncIterator[SmtpProvider]:
    made = make(port, **changes)
    try:
        yield made
    finally:
        await made.aclose()


async def send(
    smtp: SmtpProvider, claim: Callable[[], Awaitable[None]] | None = None, *, mail: Mail = MAIL, seconds: float = 20
) -> Outcome:
    async def granted() -> None:
        return

    deadline = asyncio.get_running_loop().time() + seconds
    return await smtp.send(mail, key="k", deadline=deadline, claim=claim or granted)
