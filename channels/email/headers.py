"""Header fields as bytes (RFC 5322, RFC 2047): folded at white space, or as encoded words; nothing can inject a line.

Text that cannot stand in a header (control characters, line separators, lone surrogates) raises `Unsendable`, never
passes and never is repaired: a repaired header is one that nobody wrote.
"""

import re
from binascii import b2a_base64
from collections.abc import Iterator

from channels.email.address import Mailbox

_NAMES = frozenset(
    {
        *("Date", "Message-ID", "From", "To", "Subject", "MIME-Version", "Auto-Submitted", "Reply-To"),
        *("Content-Type", "Content-Transfer-Encoding", "Content-Disposition", "Content-ID"),
        *("List-Unsubscribe", "List-Unsubscribe-Post", "Feedback-ID"),
    }
)
_LINE = 78
# RFC 5322, section 2.1.1, without CRLF.
_MOST_LINE = 998
_WORD_OVERHEAD = len("=?utf-8?q??=")
_MOST_WORD = 75
_URL = re.compile(r"[!-;=?-~]+")
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_PLAIN = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_LONG_RUN = re.compile(r"[^ ]{77}| {60}")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
_QUOTABLE = re.compile(r"[ -~]+")
_Q_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
_Q_TABLE = tuple(b"%c" % octet if octet in _Q_SAFE else b"=%02X" % octet for octet in range(256))


class Unsendable(ValueError):
    """A text cannot be put into a message. Says which field and why, and repeats nothing of it."""


def encode_unstructured(name: str, value: str) -> bytes:
    """Return `name: value` and CRLF, for a field of free text such as Subject.

    Lines are at most 78 characters. Raises Unsendable for a text, and ValueError for a name that is not ours.
    """
    start = _field(name)
    _check(name, value)
    if not value:
        return b"%b: \r\n" % start
    if _PLAIN.fullmatch(value) and "=?" not in value and not _LONG_RUN.search(value):
        if len(start) + 2 + len(value) <= _LINE:
            return b"%b: %b\r\n" % (start, value.encode())
        return b"%b: %b\r\n" % (start, _folded(value, len(start) + 2).encode())
    return b"%b: %b\r\n" % (start, _words(value, len(start) + 2))


def encode_address(name: str, address: str) -> bytes:
    """Return an address field of one address alone and CRLF. Outside ASCII it is as in `encode_mailbox`."""
    start = _field(name)
    _check(name, address)
    return b"%b: %b\r\n" % (start, address.encode())


def encode_mailbox(name: str, mailbox: Mailbox) -> bytes:
    """Return an address field of one mailbox and CRLF, the display name quoted or encoded as it needs.

    A local part outside ASCII stays UTF-8 (RFC 6532): such a message needs SMTPUTF8.
    """
    if not mailbox.name:
        return encode_address(name, mailbox.address)
    start = _field(name)
    _check(name, mailbox.name)
    _check(name, mailbox.address)
    phrase = _phrase(mailbox.name, len(start) + 2)
    used = len((b"%b: %b" % (start, phrase)).rpartition(b"\n")[2])
    gap = b" " if used + 3 + len(mailbox.address) <= _LINE else b"\r\n "
    return b"%b: %b%b<%b>\r\n" % (start, phrase, gap, mailbox.address.encode())


def encode_unsubscribe(url: str) -> bytes:
    """Return List-Unsubscribe with one URL (RFC 2369, section 3.2), List-Unsubscribe-Post (RFC 8058), each with CRLF.

    The URL stays on one line: there is no white space to fold at, and nobody reads encoded words here. Raises
    Unsendable where it is none, or too long.
    """
    field = b"%b: <%b>" % (_field("List-Unsubscribe"), url.encode("ascii", "replace"))
    if not _URL.fullmatch(url) or len(field) > _MOST_LINE:
        raise Unsendable("List-Unsubscribe holds something that is no URL, or is too long for a line")
    return b"%b\r\n%b: List-Unsubscribe=One-Click\r\n" % (field, _field("List-Unsubscribe-Post"))


def _field(name: str) -> bytes:
    if name not in _NAMES:
        raise ValueError(f"{name!r} is not a header field that Tocsin writes")
    return name.encode()


def _check(name: str, value: str) -> None:
    if _FORBIDDEN.search(value):
        raise Unsendable(f"{name} holds a control character, a line break or half a surrogate pair")


def _phrase(name: str, used: int) -> bytes:
    if len(name) + used <= _LINE and name == name.strip():
        if _ATOMS.fullmatch(name) and "=?" not in name and "  " not in name:
            return name.encode()
        if _QUOTABLE.fullmatch(name) and "=?" not in name:
            return b'"%b"' % name.replace("\\", "\\\\").replace('"', '\\"').encode()
    return _words(name, used)


def _folded(value: str, used: int) -> str:
    """Return plain words in lines of at most 78: each break stands before a run of spaces, and adds nothing."""
    lines = []
    line = ""
    for piece in re.findall(r" *[^ ]+", value):
        if line and used + len(line) + len(piece) > _LINE:
            lines.append(line)
            line, used = "", 0
        line += piece
    return "\r\n".join([*lines, line])


def _words(value: str, used: int) -> bytes:
    """Return encoded words, one a line, each at most 75 characters and never splitting a character."""
    quoted = _is_mostly_plain(value)
    words = []
    for chunk in _chunks(value, used, quoted=quoted):
        raw = chunk.encode()
        body = _q(raw) if quoted else b2a_base64(raw, newline=False)
        words.append(b"=?utf-8?%b?%b?=" % (b"q" if quoted else b"b", body))
    return b"\r\n ".join(words)


def _chunks(value: str, used: int, *, quoted: bool) -> Iterator[str]:
    room = min(_MOST_WORD, _LINE - used) - _WORD_OVERHEAD
    start = size = 0
    for index, character in enumerate(value):
        raw = character.encode()
        size += len(_q(raw)) if quoted else len(raw)
        if (size if quoted else (size + 2) // 3 * 4) > room:
            yield value[start:index]
            start, size = index, len(_q(raw)) if quoted else len(raw)
            room = _MOST_WORD - _WORD_OVERHEAD
    yield value[start:]


def _is_mostly_plain(value: str) -> bool:
    raw = value.encode()
    return 3 * sum(octet not in _Q_SAFE and octet != ord(" ") for octet in raw) <= len(raw) // 2


def _q(raw: bytes) -> bytes:
    """Return the Q encoding (RFC 2047, section 4.2), in the form that is safe in a phrase too (section 5)."""
    return b"".join(_Q_TABLE[octet] for octet in raw).replace(b"=20", b"_")
