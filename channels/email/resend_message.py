"""A mail as Resend's `POST /emails` takes it. Pure: the same mail gives the same bytes, on which idempotency rests."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from channels.email import plaintext
from channels.email.address import Mailbox
from channels.email.mail import Mail
from tocsin.delivery import Attachment

_NONE: Mapping[str, str] = MappingProxyType({})
# No specials of RFC 5322, section 3.2.3: in quotes they are words.
_PLAIN = re.compile(r"[^()<>\[\]:;@\\,.\"]*")


def body(mail: Mail, *, tags: Mapping[str, str] = _NONE) -> bytes:
    """Return the body of the request. Raises ValueError for a mail without its parts: a bug."""
    parts = mail.parts
    if parts is None:
        raise ValueError("the mail was rendered without its parts")
    document: dict[str, Any] = {
        "from": _mailbox(parts.sender),
        "to": [mail.recipient],
        "subject": parts.subject,
        # As in the message that other routes send, there is always a text.
        "text": plaintext.from_html(parts.html or "") if parts.text is None else parts.text,
        "headers": dict(parts.headers),
    }
    if tags:
        document["tags"] = [{"name": name, "value": value} for name, value in tags.items()]
    if parts.html is not None:
        document["html"] = parts.html
    if parts.files:
        document["attachments"] = [_attachment(file) for file in parts.files]
    return msgspec.json.encode(document)


def _mailbox(sender: Mailbox) -> str:
    if not sender.name:
        return sender.address
    if _PLAIN.fullmatch(sender.name):
        return f"{sender.name} <{sender.address}>"
    quoted = sender.name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}" <{sender.address}>'


def _attachment(file: Attachment) -> dict[str, str]:
    found = {"filename": file.filename, "content": file.content, "content_type": file.content_type}
    if file.content_id is not None:
        found["content_id"] = file.content_id
    return found
