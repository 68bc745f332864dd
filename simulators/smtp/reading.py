"""Reads the source of a mail as a person would: subject, Message-ID, text. Takes any bytes and never raises."""

from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import HeaderParser


def subject(raw: bytes) -> str:
    """Return the decoded subject, or an empty text if there is none."""
    value = _header(raw, "Subject")
    try:
        return storable(str(make_header(decode_header(value))))
    except (LookupError, ValueError, HeaderParseError):
        return value


def message_id(raw: bytes) -> str:
    """Return the Message-ID with its angle brackets, or an empty text if there is none."""
    return _header(raw, "Message-ID")


def text(raw: bytes) -> str:
    """Return the first plain text part; in its absence the source of the first HTML part; else an empty text."""
    parts = [part for part in message_from_bytes(raw).walk() if part.get_content_disposition() != "attachment"]
    for content_type in ("text/plain", "text/html"):
        for part in parts:
            if part.get_content_type() == content_type:
                return _decoded(part)
    return ""


def source(raw: bytes) -> str:
    """Return the source for display: what is not UTF-8 is replaced."""
    return raw.decode("utf-8", "replace")


def storable(value: str) -> str:
    """Return the text without lone surrogates, which no JSON and no page can carry."""
    return value.encode("utf-8", "replace").decode()


def _header(raw: bytes, name: str) -> str:
    """Return one header, unfolded, still encoded. What is not UTF-8 is replaced."""
    head, _, _ = raw.partition(b"\r\n\r\n")
    value: str = HeaderParser().parsestr(source(head)).get(name, "")
    return value.replace("\r", "").replace("\n", "").strip()


def _decoded(part: Message) -> str:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    try:
        return storable(payload.decode(part.get_content_charset("utf-8"), "replace"))
    except (LookupError, ValueError):  # a charset that is unknown, or no charset at all
        return source(payload)
