"""What a mail is known by when it comes back: which life of which delivery it was, signed. Pure.

It holds no address. The delivery's id is a hash of the notification's id and the address, so whoever tells of an
address can be checked: a reference is good for the one address that its mail went to. It stays valid, since bounces
may come late.
"""

import base64
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass

from channels.email.mail import Mail
from tocsin import ids
from tocsin.delivery import TENANT

CHANNEL = "email"
CHARACTERS = 56
"""The length of a token. With `bounce+` before it, it fits into the 64 octets of RFC 5321, section 4.5.3.1.1."""
PROVIDERS = {"smtp": "s", "ses": "e"}
"""The providers that send with a return path of ours, with what a token has of them."""

_PURPOSE = b"tocsin-email-reference\x1f"
_MAC_CHARACTERS = 11
_TIME = 10
_MOST_LIFE = 255
_BODY = re.compile(r"[0-9a-hjkmnp-tv-z]{26}")
# Digits and lower-case letters only: some servers change the case of what is before the @.
_TOKEN = re.compile(r"[0-9a-hjkmnp-tv-z]{42}[0-9a-f]{2}[a-z][a-z2-7]{11}")
_NAMES = {letter: name for name, letter in PROVIDERS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A life of a delivery, and the provider that took its mail."""

    delivery_id: str
    notification_id: str
    tenant: str
    life: int
    provider: str

    @classmethod
    def of(cls, mail: Mail, key: str, *, provider: str) -> "Reference":
        """Return what a mail is referred to by; `key` is the port's: `<delivery id>:<life>`."""
        return cls(
            delivery_id=mail.delivery_id,
            notification_id=mail.notification_id,
            tenant=mail.tenant,
            life=int(key.rpartition(":")[2]),
            provider=provider,
        )

    def is_of(self, address: str) -> bool:
        """Return whether the delivery was to this address, in its normal form."""
        return ids.delivery_id(self.notification_id, CHANNEL, address) == self.delivery_id


class References:
    """Writes references as tokens, and reads them, with a key made from a secret; it reads with `retired` ones as well.

    A token has no room for the name of its tenant. The signature covers it, and reading tries `tenants`.
    """

    def __init__(self, secret: str, *, retired: Iterable[str] = (), tenants: Iterable[str] = (TENANT,)) -> None:
        self.secrets = tuple(dict.fromkeys((secret, *retired)))
        self._keys = tuple(hmac.digest(each.encode(), _PURPOSE, "sha256") for each in self.secrets)
        self._tenants = tuple(tenants)

    def write(self, reference: Reference) -> str | None:
        """Return the token, None for what has none: a life above 255, another tenant or provider, ids not like ours."""
        notification = reference.notification_id.removeprefix(ids.NOTIFICATION)
        delivery = reference.delivery_id.removeprefix(ids.DELIVERY)
        if not (_BODY.fullmatch(notification) and _BODY.fullmatch(delivery) and 0 <= reference.life <= _MOST_LIFE):
            return None
        # Both ids begin with the same time.
        if notification[:_TIME] != delivery[:_TIME] or reference.tenant not in self._tenants:
            return None
        letter = PROVIDERS.get(reference.provider)
        if letter is None:
            return None
        payload = f"{notification}{delivery[_TIME:]}{reference.life:02x}{letter}"
        return payload + _mac(self._keys[0], payload, reference.tenant)

    def read(self, token: str) -> Reference | None:
        """Return the reference in a token, None if it was not written with this key. Upper case does not matter."""
        token = token.lower()
        if not _TOKEN.fullmatch(token):
            return None
        payload, mac = token[:-_MAC_CHARACTERS], token[-_MAC_CHARACTERS:]
        provider, tenant = _NAMES.get(payload[-1]), self._tenant(payload, mac)
        if provider is None or tenant is None:
            return None
        notification, delivery, life = payload[:26], payload[:_TIME] + payload[26:42], payload[42:44]
        return Reference(
            delivery_id=ids.DELIVERY + delivery,
            notification_id=ids.NOTIFICATION + notification,
            tenant=tenant,
            life=int(life, 16),
            provider=provider,
        )

    def _tenant(self, payload: str, mac: str) -> str | None:
        """Return the tenant that the payload was signed for, None if it was not signed."""
        tried = ((key, tenant) for key in self._keys for tenant in self._tenants)
        return next((tenant for key, tenant in tried if hmac.compare_digest(_mac(key, payload, tenant), mac)), None)


def _mac(key: bytes, payload: str, tenant: str) -> str:
    """Return 55 bits of a MAC: each guess at them costs a guesser a dialogue with us."""
    digest = hmac.digest(key, f"{payload}\x1f{tenant}".encode(), "sha256")
    return base64.b32encode(digest)[:_MAC_CHARACTERS].decode().lower()
