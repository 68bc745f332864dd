"""A whole message as bytes: a skeleton made once per sender, filled per message.

`EmailMessage` takes some 800 µs for what is here a handful of concatenations, and writes quoted-printable lines over
76 characters. The bytes are a function of the arguments alone: boundary, date and Message-ID come from the delivery.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

from channels.email import attachments, encoding, plaintext
from channels.email.address import Mailbox
from channels.email.headers import encode_address, encode_mailbox, encode_unstructured
from tocsin.delivery import Attachment

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_TEXT = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: %b\r\n\r\n%b"
_HTML = b"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: %b\r\n\r\n%b"


class Skeleton:
    """What all messages of one sender share: From, and the fields that never change."""

    def __init__(self, *, sender: Mailbox, message_id_domain: str) -> None:
        self._fixed = (
            encode_mailbox("From", sender) + b"MIME-Version: 1.0\r\n"
            # RFC 3834: keeps vacation responders quiet.
            b"Auto-Submitted: auto-generated\r\n"
        )
        self._domain = message_id_domain.encode("ascii")

    def message(
        self,
        *,
        key: str,
        identity: tuple[str, str, str],
        date: datetime,
        to: str,
        subject: str,
        text: str | None,
        html: str | None,
        files: Sequence[Attachment] = (),
    ) -> bytes:
        """Return the message with CRLF line ends, 7-bit but for a `to` outside ASCII.

        `key` seeds the boundaries; `identity` is (tenant, notification, address) and makes the Message-ID. One of
        `text` and `html` is given; a missing text is derived. Raises Unsendable for what cannot be put in a message.
        """
        if text is None:
            text = plaintext.from_html(html or "")
        parts = [_TEXT % encoding.encoded(encoding.canonical(text, "the text"))]
        if html is not None:
            parts.append(_HTML % encoding.encoded(encoding.canonical(html, "the HTML")))
        content = parts[0]
        if html is not None or files:
            content = _structured(parts, [attachments.part(file) for file in files], key)
        return b"".join(
            (
                b"Date: %b\r\nMessage-ID: <%b@%b>\r\n" % (_date(date), _digest(*identity), self._domain),
                self._fixed,
                encode_address("To", to),
                encode_unstructured("Subject", subject),
                content if content.endswith(b"\r\n") else content + b"\r\n",
            )
        )


def _structured(alternatives: list[bytes], files: Sequence[attachments.Part], key: str) -> bytes:
    """Return mixed(related(alternative(text, html), inline files), files), without the levels that hold one part."""
    inline = [file.content for file in files if file.inline]
    attached = [file.content for file in files if not file.inline]
    boundary = _boundary(key, [*alternatives, *inline, *attached])
    content = _multipart(b"alternative", alternatives, boundary + b"a")
    content = _multipart(b"related", [content, *inline], boundary + b"r")
    return _multipart(b"mixed", [content, *attached], boundary + b"m")


def _multipart(kind: bytes, parts: list[bytes], boundary: bytes) -> bytes:
    if len(parts) == 1:
        return parts[0]
    body = b"".join([b"--%b\r\n%b\r\n" % (boundary, part) for part in parts])
    return b'Content-Type: multipart/%b;\r\n boundary="%b"\r\n\r\n%b--%b--\r\n' % (kind, boundary, body, boundary)


def _boundary(key: str, parts: Sequence[bytes]) -> bytes:
    """Return the stem of this message's boundaries: from the key, and in none of the parts.

    `=_` stands in no base64 and in no quoted-printable text; 7bit text may hold anything, so it is looked for.
    """
    salt = 0
    stem = b"=_" + _digest(key)
    while any(stem in part for part in parts):
        salt += 1
        stem = b"=_" + _digest(key, str(salt))
    return stem


def _digest(*parts: str) -> bytes:
    text = "\x1f".join(parts).encode()
    return hashlib.blake2b(text, digest_size=15).hexdigest().encode()


def _date(moment: datetime) -> bytes:
    """Return an aware datetime as RFC 5322 wants it, in UTC and whatever the machine's locale is."""
    at = moment.astimezone(UTC)
    day, month = _DAYS[at.weekday()], _MONTHS[at.month - 1]
    return f"{day}, {at.day:02d} {month} {at.year:04d} {at.hour:02d}:{at.minute:02d}:{at.second:02d} +0000".encode()
