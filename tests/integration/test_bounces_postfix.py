"""A real Postfix cannot deliver a mail of ours: its report comes back by its LMTP client, and is a receipt."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import datetime

import pytest

from channels.email import codes
from channels.email.bounce_intake import BounceIntake
from channels.email.bounce_listener import BounceListener
from channels.email.bounces import Bounces
from channels.email.bounces_settings import BouncesSettings, return_paths
from channels.email.mail import Mail
from channels.email.receipts import Finding
from channels.email.receiving import Receiving
from channels.email.reference import Reference
from channels.email.report import read
from channels.email.settings import EmailSettings
from channels.email.smtp import SmtpProvider
from tests.integration.certificates import Certificates
from tests.integration.postfix_instance import Postfix
from tocsin import envelope, ids
from tocsin.eventlog.port import Publisher
from tocsin.lifecycle import AuditEvent, Event
from tocsin.observe.metrics import Metrics
from tocsin.outcome import Delivered
from tocsin.record import Record
from tocsin.runtime.clock import SystemClock

ADDRESS = "ada+shop@gone.example"
PATHS = return_paths(BouncesSettings(domain="bounces.shop.example", secret="0123456789abcdef"))
DATA = b"From: shop@example.com\r\nTo: ada+shop@gone.example\r\nSubject: Hello\r\n\r\nWhat nobody else is to read\r\n"


class _Log(Publisher):
    """A log that a test waits for."""

    def __init__(self) -> None:
        self.written: asyncio.Queue[AuditEvent] = asyncio.Queue()

    async def write(self, records: Sequence[Record]) -> None:
        for record in records:
            self.written.put_nowait(envelope.audit_event(record.value))


class _Seen(Bounces):
    """Remembers what came."""

    raw = b""

    def read(self, raw: bytes, *, arrived_for: Reference | None = None, now: datetime) -> Finding:
        self.raw = raw
        return super().read(raw, arrived_for=arrived_for, now=now)


@asynccontextmanager
async def listening(port: int, bounces: Bounces, log: _Log) -> AsyncIterator[None]:
    """Listen where Postfix brings what it could not deliver."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    receiving = Receiving(publisher=log, metrics=Metrics(version="1"))
    intake = BounceIntake(lambda: bounces, receiving, clock=SystemClock())
    listener = BounceListener(bound, intake, protocol="lmtp", max_bytes=100_000)
    task = asyncio.create_task(listener.run())
    try:
        yield
    finally:
        listener.stop()
        await task


def mail() -> Mail:
    """Return a mail to somebody whom our listener, which Postfix asks, does not know: 550 5.1.1."""
    notification = ids.notification_id(SystemClock().now(), bytes)
    return Mail(
        sender="static@shop.example",
        recipient=ADDRESS,
        data=DATA,
        size=len(DATA),
        needs_smtputf8=False,
        delivery_id=ids.delivery_id(notification, "email", ADDRESS),
        notification_id=notification,
        tenant="default",
    )


@pytest.mark.timeout(90)
async def test_a_report_of_postfix_is_a_receipt_of_its_delivery(postfix: Postfix, certificates: Certificates) -> None:
    assert PATHS is not None
    sent, log, bounces = mail(), _Log(), _Seen(PATHS, codes.load())
    settings = EmailSettings(port=postfix.port, helo_name="client.example.com", ca_file=str(certificates.ca_file))
    key = f"{sent.delivery_id}:3"
    provider = SmtpProvider(settings, monotonic=SystemClock().monotonic, on_unmapped=_uncounted, return_paths=PATHS)
    async with listening(postfix.lmtp_port, bounces, log), aclosing(provider):
        deadline = asyncio.get_running_loop().time() + 20
        outcome = await provider.send(sent, key=key, deadline=deadline, claim=_granted)
        event = await asyncio.wait_for(log.written.get(), 60)

    assert isinstance(outcome, Delivered)
    assert event.type is Event.RECEIPT_FAILED
    assert (event.delivery_id, event.notification_id, event.life) == (sent.delivery_id, sent.notification_id, 3)
    assert (event.data["code"], event.data["address"]) == ("550 5.1.1", ADDRESS)
    assert ADDRESS not in event.data["message"]
    _says_what_we_asked_for(bounces.raw, Reference.of(sent, key, provider="smtp"))


def _says_what_we_asked_for(raw: bytes, reference: Reference) -> None:
    """Postfix repeated the envelope id and the recipient that it was given, and returned the header alone."""
    assert PATHS is not None
    told = read(raw).told

    assert told is not None
    assert PATHS.references.read(told.envelope_id) == reference
    assert b"Original-Recipient: rfc822;ada" in raw
    assert b"Subject: Hello" in raw
    assert b"What nobody else is to read" not in raw


async def _granted() -> None:
    return


def _uncounted(_code: str) -> None:
    return
