"""What the tests of bounces share: a delivery's reference, and messages about it as mail servers write them."""

from datetime import UTC, datetime

from channels.email.reference import Reference, References
from channels.email.return_path import ReturnPaths
from tocsin import ids

NOW = datetime(2030, 1, 1, tzinfo=UTC)
ADDRESS = "ada@example.com"
DOMAIN = "bounces.shop.example"
NOTIFICATION = ids.notification_id(NOW, lambda count: bytes(range(count)))
REFERENCE = Reference(
    delivery_id=ids.delivery_id(NOTIFICATION, "email", ADDRESS),
    notification_id=NOTIFICATION,
    tenant="default",
    life=1,
    provider="smtp",
)
PATHS = ReturnPaths(References("a secret of the shop"), domain=DOMAIN)


def return_path(reference: Reference = REFERENCE, paths: ReturnPaths = PATHS) -> str:
    """Return an address that mail comes back to."""
    found = paths.of(reference)
    assert found is not None
    return found


def token(reference: Reference = REFERENCE) -> str:
    """Return a token."""
    return return_path(reference).removeprefix("bounce+").partition("@")[0]


def notification(
    *,
    to: str = "postmaster@shop.example",
    action: str = "failed",
    status: str = "5.1.1",
    diagnostic: str = "smtp; 550 5.1.1 <ada@example.com>: Recipient address rejected",
    original: str = f"rfc822;{ADDRESS}",
    final: str = f"rfc822; {ADDRESS}",
    envelope_id: str = "",
    returned: str = "Subject: Hello\n",
) -> bytes:
    """Return a delivery status notification as Postfix writes it."""
    envelope = f"Original-Envelope-Id: {envelope_id}\n" if envelope_id else ""
    whose = f"Original-Recipient: {original}\n" if original else ""
    text = f"""\
Return-Path: <>
From: MAILER-DAEMON@mail.example.com (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: {to}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="4X.1764/mail.example.com"

This is a MIME-encapsulated message.

--4X.1764/mail.example.com
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

I'm sorry to have to inform you that your message could not be delivered.

--4X.1764/mail.example.com
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.example.com
{envelope}X-Postfix-Queue-ID: 4X
Arrival-Date: Tue,  1 Jan 2030 00:00:00 +0000 (UTC)

Final-Recipient: {final}
{whose}Action: {action}
Status: {status}
Diagnostic-Code: {diagnostic}

--4X.1764/mail.example.com
Content-Description: Undelivered Message Headers
Content-Type: text/rfc822-headers

{returned}
--4X.1764/mail.example.com--
"""
    return text.replace("\n", "\r\n").encode()


def complaint(*, kind: str = "abuse", told: str = "", returned: str = f"To: <{ADDRESS}>\n") -> bytes:
    """Return a feedback report. `told` are further fields of it."""
    text = f"""\
From: <fbl@mailbox.example>
To: <complaints@shop.example>
Content-Type: multipart/report; report-type=feedback-report; boundary=part

--part
Content-Type: text/plain

This is an email abuse report.

--part
Content-Type: message/feedback-report

Feedback-Type: {kind}
User-Agent: SomeGenerator/1.0
Version: 1
{told}
--part
Content-Type: message/rfc822

{returned}
Buy now.
--part--
"""
    return text.replace("\n", "\r\n").encode()
