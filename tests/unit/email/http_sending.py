"""What the tests of the HTTP email APIs share: a mail, and a provider at a server that a test scripts."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec

from channels.email.address import Mailbox
from channels.email.mail import Mail, Parts
from channels.provider import Provider
from tests.support.http_server import HttpServer, Reply, serving
from tocsin.delivery import Attachment
from tocsin.errors import NotClaimed
from tocsin.outcome import Outcome

DATA = b"From: Shop <no-reply@shop.example>\r\nTo: ada@example.com\r\nSubject: Hello\r\n\r\nHello\r\n"
PARTS = Parts(
    sender=Mailbox(name="Shop", address="no-reply@shop.example"),
    subject="Hello",
    text="Hello",
    html="<p>Hello</p>",
    headers={"Auto-Submitted": "auto-generated"},
    files=(Attachment(filename="a.txt", content_type="text/plain", content="aGkK", content_id="a@shop.example"),),
)
MAIL = Mail(
    sender="bounces@shop.example",
    recipient="ada@example.com",
    data=DATA,
    size=len(DATA),
    needs_smtputf8=False,
    parts=PARTS,
)


@dataclass
class CountingClaim:
    """A claim that is granted, or not, and knows how often it was awaited."""

    granted: bool = True
    asked: int = 0

    async def __call__(self) -> None:
        self.asked += 1
        if not self.granted:
            raise NotClaimed


@dataclass(kw_only=True)
class Sending:
    """A provider at the test's server; the codes that its table did not know, and the claim of its calls."""

    provider: Provider
    server: HttpServer
    unmapped: list[str]
    claim: CountingClaim = field(default_factory=CountingClaim)

    async def send(self, mail: Mail = MAIL, *, key: str = "dlv_1:0", seconds: float = 10) -> Outcome:
        """Make one call."""
        deadline = asyncio.get_running_loop().time() + seconds
        return await self.provider.send(mail, key=key, deadline=deadline, claim=self.claim)


@asynccontextmanager
async def sending_with(make: Callable[[str, list[str]], Provider]) -> AsyncIterator[Sending]:
    """Run a server, and the provider that `make` returns for its URL and a list for unmapped codes."""
    unmapped: list[str] = []
    async with serving() as server:
        provider = make(server.url, unmapped)
        yield Sending(provider=provider, server=server, unmapped=unmapped)
        await provider.aclose()


def reply(status: int, document: Any, **headers: str) -> Reply:
    """Return an answer in JSON; underscores in the names of headers are hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status=status, headers=named, body=msgspec.json.encode(document))
