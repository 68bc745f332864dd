"""Content transfer encodings (RFC 2045): text as 7bit where it may be, else the shorter of the two encodings."""

import re
from binascii import b2a_base64, b2a_qp

from channels.email.headers import Unsendable

_NEWLINE = re.compile(b"\r\n?|\n")
_PLAIN = bytes(range(32, 127)) + b"\t\r\n"
_ABOVE_ASCII = bytes(range(128, 256))
_BASE64_LINE = 57
_MOST_LINE = 78


def canonical(text: str, what: str) -> bytes:
    """Return a body as UTF-8 with CRLF line ends. Raises Unsendable for NUL and lone surrogates."""
    if "\x00" in text:
        raise Unsendable(f"{what} holds a NUL")
    try:
        body = text.encode()
    except UnicodeEncodeError:
        raise Unsendable(f"{what} holds half a surrogate pair") from None
    return _NEWLINE.sub(b"\r\n", body) if b"\r" in body else body.replace(b"\n", b"\r\n")


def encoded(body: bytes) -> tuple[bytes, bytes]:
    """Return the name of the encoding and the encoded body of a canonical text. All lines are at most 78 octets."""
    if not body.translate(None, _PLAIN) and max(map(len, body.splitlines()), default=0) <= _MOST_LINE:
        return b"7bit", body
    above = len(body) - len(body.translate(None, _ABOVE_ASCII))
    if above * 6 > len(body):
        return b"base64", base64_lines(body)
    quoted = b2a_qp(body, istext=True)
    # It ends soft breaks as the first line ends; of a text without line ends it makes bare line feeds.
    return b"quoted-printable", quoted if b"\n" in body else quoted.replace(b"\n", b"\r\n")


def base64_lines(data: bytes) -> bytes:
    """Return base64 in lines of 76 characters with CRLF between them."""
    if len(data) <= _BASE64_LINE:
        return b2a_base64(data, newline=False)
    starts = range(0, len(data), _BASE64_LINE)
    return b"\r\n".join([b2a_base64(data[at : at + _BASE64_LINE], newline=False) for at in starts])
