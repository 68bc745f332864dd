"""DKIM signatures of our own mails: RFC 6376, with rsa-sha256 (RFC 8301) or ed25519-sha256 (RFC 8463).

Canonicalisation is relaxed for header and body. From is signed once more than it is there, so that nobody can add
another (RFC 6376, section 8.15); so are the fields of a link to unsubscribe, where there is one. There is no `l=`: it
would let others append to the body.
"""

import hashlib
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

Key = RSAPrivateKey | Ed25519PrivateKey

FIELDS = (
    *("From", "Reply-To", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"),
    # RFC 8058, section 4, demands the last two; the others are RFC 6376's recommendation (section 5.4.1).
    *("Content-Transfer-Encoding", "List-Unsubscribe", "List-Unsubscribe-Post"),
)
"""What is signed of what is there, in this order."""

# Once more than they are there. Where a mail has no link, whoever runs a mailing list may add one.
_ONCE_MORE = (b"List-Unsubscribe", b"List-Unsubscribe-Post")

_WHITE = re.compile(rb"[ \t]+")
_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:(.*(?:\r\n[ \t].*)*)\r\n")
_LINE = 72


class Signer:
    """Signs for one domain with one key, which is published at `<selector>._domainkey.<domain>`.

    `unsigned` are fields that somebody on the way writes anew: a signature over them would not hold.
    """

    def __init__(self, key: Key, *, domain: str, selector: str, unsigned: Iterable[str] = ()) -> None:
        left_out = frozenset(name.lower() for name in unsigned)
        self._key = key
        self._names = tuple(name.encode() for name in FIELDS if name.lower() not in left_out)
        algorithm = "rsa-sha256" if isinstance(key, RSAPrivateKey) else "ed25519-sha256"
        self._head = (
            f"DKIM-Signature: v=1; a={algorithm}; c=relaxed/relaxed;\r\n d={domain};\r\n s={selector};".encode()
        )

    def sign(self, message: bytes, at: datetime) -> bytes:
        """Return a message (CRLF line ends, 7-bit) with its signature before it. `at` is the signature's time."""
        head, _, body = message.partition(b"\r\n\r\n")
        fields = split(head + b"\r\n")
        there = {name.lower() for name, _ in fields}
        names = [name for name in self._names if name.lower() in there]
        names += [b"From", *(name for name in _ONCE_MORE if name in names)]
        field = b"%b t=%d;\r\n h=%b;\r\n bh=%b;\r\n b=" % (
            self._head,
            int(at.timestamp()),
            b":\r\n  ".join(names),
            b64encode(hashlib.sha256(relaxed_body(body)).digest()),
        )
        signature = b64encode(_signed(self._key, signed_bytes(fields, names, field)))
        lines = [signature[start : start + _LINE] for start in range(0, len(signature), _LINE)]
        return b"%b%b\r\n%b" % (field, b"\r\n  ".join(lines), message)


def split(head: bytes) -> Sequence[tuple[bytes, bytes]]:
    """Return the fields of a header (each with its CRLF) as names and values, the latter still folded."""
    return [(found[1], found[2]) for found in _FIELD.finditer(head)]


def signed_bytes(fields: Sequence[tuple[bytes, bytes]], names: Iterable[bytes], field: bytes) -> bytes:
    """Return what the signature is made of (RFC 6376, section 3.7): the fields named, then the signature's own.

    A name that stands twice takes the last field of the name first, and then the one above it; where none is left it
    stands for nothing (section 5.4.2). `field` is the DKIM-Signature with an empty `b=` at its end, without CRLF.
    """
    name, _, value = field.partition(b":")
    return b"".join([*_chosen(fields, names), _relaxed(name, value).removesuffix(b"\r\n")])


def relaxed_body(body: bytes) -> bytes:
    """Return a body in the relaxed form (RFC 6376, section 3.4.4)."""
    if not body.endswith(b"\r\n"):
        body += b"\r\n"
    text = _WHITE.sub(b" ", body).replace(b" \r\n", b"\r\n")
    end = len(text)
    while text.endswith(b"\r\n", 0, end):
        end -= 2
    return text[:end] + b"\r\n" if end else b""


def _chosen(fields: Sequence[tuple[bytes, bytes]], names: Iterable[bytes]) -> Iterator[bytes]:
    left: dict[bytes, list[bytes]] = {}
    for name, value in fields:
        left.setdefault(name.lower(), []).append(value)
    for name in names:
        values = left.get(name.lower())
        if values:
            yield _relaxed(name, values.pop())


def _relaxed(name: bytes, value: bytes) -> bytes:
    """Return a field in the relaxed form (RFC 6376, section 3.4.2), with its CRLF."""
    return b"%b:%b\r\n" % (name.strip().lower(), _WHITE.sub(b" ", value.replace(b"\r\n", b"")).strip(b" "))


def _signed(key: Key, data: bytes) -> bytes:
    if isinstance(key, RSAPrivateKey):
        return key.sign(data, PKCS1v15(), SHA256())
    # RFC 8463, section 3: the hash is what is signed.
    return key.sign(hashlib.sha256(data).digest())
