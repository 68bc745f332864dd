"""The JSON of `POST /emails`, and the message that Resend makes of it, for people to read."""

import binascii
from base64 import b64decode
from collections.abc import Mapping
from datetime import datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr

import msgspec


class Attachment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file. `content` is base64."""

    filename: str
    content: str
    content_type: str = "application/octet-stream"
    content_id: str | None = None


class Tag(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A name and a value that its events repeat."""

    name: str
    value: str


class Email(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What we may send of https://resend.com/docs/api-reference/emails/send-email."""

    sender: str = msgspec.field(name="from")
    to: tuple[str, ...]
    subject: str
    html: str | None = None
    text: str | None = None
    headers: Mapping[str, str] = {}
    attachments: tuple[Attachment, ...] = ()
    tags: tuple[Tag, ...] = ()


def composed(email: Email, *, name: str, at: datetime) -> bytes:
    """Return the message. Raises ValueError for what no message can hold."""
    message = EmailMessage(policy=policy.SMTP)
    shown, address = parseaddr(email.sender)
    message["From"] = Address(display_name=shown, addr_spec=address)
    message["To"] = ", ".join(email.to)
    message["Subject"] = email.subject
    message["Date"] = format_datetime(at)
    message["Message-ID"] = f"<{name}@resend.example>"
    for header, value in email.headers.items():
        message[header] = value
    message.set_content(email.text or "")
    if email.html is not None:
        message.add_alternative(email.html, subtype="html")
    for file in email.attachments:
        _attach(message, file)
    return message.as_bytes()


def _attach(message: EmailMessage, file: Attachment) -> None:
    kind, _, subtype = file.content_type.partition("/")
    try:
        content = b64decode(file.content, validate=True)
    except binascii.Error as error:
        raise ValueError("an attachment is not base64") from error
    named = None if file.content_id is None else f"<{file.content_id}>"
    message.add_attachment(content, maintype=kind, subtype=subtype, filename=file.filename, cid=named)
