"""What the tests of the simulators share: a clock that only moves when told, and a running SMTP server."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from email.message import EmailMessage
from functools import partial

import aiosmtplib
import pytest
import trustme

from simulators.smtp import builtin
from simulators.smtp.faults import Faults
from simulators.smtp.mailbox import Mailbox
from simulators.smtp.server import listening
from tests.support.clock import ManualClock
from tocsin.clock import Clock

Listen = Callable[..., AbstractAsyncContextManager[int]]
Send = Callable[..., Awaitable[str]]


class NotingClock(ManualClock):
    """Notes how long it was asked to wait, and is there at once."""

    def __init__(self, slept: list[timedelta]) -> None:
        super().__init__()
        self._slept = slept

    async def sleep(self, delay: timedelta) -> None:
        self._slept.append(delay)
        self.advance(delay)


@pytest.fixture
def slept() -> list[timedelta]:
    return []


@pytest.fixture
def clock(slept: list[timedelta]) -> Clock:
    return NotingClock(slept)


@pytest.fixture
def mailbox(clock: Clock) -> Mailbox:
    return Mailbox(now=clock.now)


@pytest.fixture
def faults() -> Faults:
    return Faults(builtin.faults())


@pytest.fixture
def listen(mailbox: Mailbox, faults: Faults, clock: Clock) -> Listen:
    return partial(listening, mailbox=mailbox, faults=faults, clock=clock)


@pytest.fixture
async def port(listen: Listen) -> AsyncIterator[int]:
    async with listen() as bound:
        yield bound


@pytest.fixture
def send(port: int) -> Send:
    """Send one mail over a connection of its own and return the answer to the final dot."""

    async def _send(recipient: str, *, subject: str = "Hello", text: str = "Some text.\n") -> str:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as client:
            _, answer = await client.send_message(mail(recipient, subject=subject, text=text))
        return answer

    return _send


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture
def client_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def mail(recipient: str, *, subject: str, text: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "shop@example.org"
    message["To"] = recipient
    message["Subject"] = subject
    message["Message-ID"] = "<1@example.org>"
    message.set_content(text)
    return message
