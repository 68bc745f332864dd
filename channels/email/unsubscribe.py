"""Links with which a recipient unsubscribes from one category of mails (RFC 8058). Pure.

The link says all that is needed, so nothing is kept for a mail that was sent. It is sealed: whoever reads it in a log
learns no address, and nobody can make or change one. AES-SIV (RFC 5297) needs no nonce: the same delivery has the same
link, and so the same bytes, at every attempt.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from tocsin.delivery import Delivery

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV

PATH: Final = "/v1/unsubscribe/"
ONE_CLICK: Final = ("List-Unsubscribe", "One-Click")
"""The field and value of the form that unsubscribes (RFC 8058, section 3.2)."""
VARIABLE: Final = "unsubscribe_url"
"""The name of the link in templates."""

# The first character of a token says how the rest is made.
_VERSION = "1"
_TOKEN = re.compile(r"1[A-Za-z0-9_-]{24,2000}")
_PURPOSE = b"tocsin email unsubscribe 1"
_KEY_OCTETS = 64


class Subscriber(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Who gets which mails, and which of them had the link."""

    tenant: str
    address: str
    category: str
    notification_id: str

    def __repr__(self) -> str:
        return f"Subscriber(notification_id={self.notification_id!r}, category={self.category!r})"


class Links:
    """Makes and reads the links below `public_url`, for the mails of some categories.

    `secrets` are those that links may have been sealed with, at least one; the first one seals. What `before` sealed is
    read as well.
    """

    def __init__(
        self, secrets: Sequence[str], *, public_url: str, categories: Collection[str], before: "Links | None" = None
    ) -> None:
        self._seals = [_seal(each) for each in secrets]
        if before is not None:
            self._seals.append(before._seals[0])  # noqa: SLF001 - one of its own kind
        self._start = public_url.rstrip("/") + PATH
        self._categories = frozenset(categories)

    def of(self, delivery: Delivery) -> str | None:
        """Return the link of a mail, None if its category is one that nobody unsubscribes from."""
        if delivery.category not in self._categories:
            return None
        subscriber = Subscriber(
            tenant=delivery.tenant,
            address=delivery.address,
            category=delivery.category,
            notification_id=delivery.notification_id,
        )
        return self._start + self.token(subscriber)

    def token(self, subscriber: Subscriber) -> str:
        """Return what stands for the subscriber in a link."""
        return _text(self._seals[0].encrypt(msgspec.msgpack.encode(subscriber), None))

    def read(self, token: str) -> Subscriber | None:
        """Return whose token it is, None if it is none of ours as it stands."""
        if not _TOKEN.fullmatch(token):
            return None
        padding = "=" * (-(len(token) - 1) % 4)
        try:
            sealed = urlsafe_b64decode(token[1:] + padding)
        except ValueError:
            return None
        # Base64 has several texts for the same octets; one of them is ours.
        if _text(sealed) != token:
            return None
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - see `_seal`

        for seal in self._seals:
            try:
                return msgspec.msgpack.decode(seal.decrypt(sealed, None), type=Subscriber)
            except InvalidTag:
                continue
        return None


def _text(sealed: bytes) -> str:
    return _VERSION + urlsafe_b64encode(sealed).rstrip(b"=").decode()


def _seal(secret: str) -> "AESSIV":
    # The library is several megabytes, and most gateways have no use for it.
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV  # noqa: PLC0415
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415

    return AESSIV(HKDF(algorithm=SHA256(), length=_KEY_OCTETS, salt=None, info=_PURPOSE).derive(secret.encode()))
