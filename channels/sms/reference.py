"""What a provider is given of ours and sends back with its receipts: which life of which delivery it was, signed.

It holds no address, but its signature covers the one that the message went to: whoever has seen a reference cannot use
it to tell of another number. Whoever has not the key cannot make one, so a receipt that carries one is about a message
that we sent; it stays valid, since receipts may come late.
"""

import base64
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from channels.sms.message import Sms
from tocsin import ids

# Vonage takes a `client-ref` of 100 characters.
MOST_CHARACTERS = 100

_PURPOSE = b"tocsin-sms-reference\x1f"
_MAC_BYTES = 16
# That in use, and those that were used before it.
_MOST_KEYS = 3
_PARTS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A life of a delivery."""

    delivery_id: str
    notification_id: str
    tenant: str
    life: int

    @classmethod
    def of(cls, message: Sms, key: str) -> "Reference":
        """Return what a message is referred to by; `key` is the port's: `<delivery id>:<life>`."""
        return cls(
            delivery_id=message.delivery_id,
            notification_id=message.notification_id,
            tenant=message.tenant,
            life=int(key.rpartition(":")[2]),
        )


class References:
    """Signs references and reads them, with a key made from the provider's own secret."""

    def __init__(self, secret: str, before: "References | None" = None) -> None:
        """`before` are those with the secret before this one, whose references are still on their way."""
        earlier = () if before is None else before.keys[: _MOST_KEYS - 1]
        self.keys: Sequence[bytes] = (hmac.digest(secret.encode(), _PURPOSE, "sha256"), *earlier)

    def write(self, reference: Reference, number: str) -> str:
        """Return the reference of a message to this number (E.164) as text.

        It has letters, digits, dots, hyphens and underscores, and what the tenant has.
        """
        delivery = reference.delivery_id.removeprefix(ids.DELIVERY)
        notification = reference.notification_id.removeprefix(ids.NOTIFICATION)
        payload = f"{delivery}.{notification}.{reference.life}.{reference.tenant}"
        return f"{payload}.{_mac(self.keys[0], payload, number)}"

    def read(self, text: str, number: str) -> Reference | None:
        """Return the reference in a text, or None if it was not written with our key, or is of another number."""
        payload, _, mac = text.rpartition(".")
        told = mac.encode("utf-8", "replace")
        if not any(hmac.compare_digest(_mac(key, payload, number).encode(), told) for key in self.keys):
            return None
        delivery, notification, life, tenant = payload.split(".", _PARTS - 1)
        return Reference(
            delivery_id=ids.DELIVERY + delivery,
            notification_id=ids.NOTIFICATION + notification,
            tenant=tenant,
            life=int(life),
        )


def _mac(key: bytes, payload: str, number: str) -> str:
    digest = hmac.digest(key, f"{payload}\x1f{number}".encode("utf-8", "replace"), "sha256")[:_MAC_BYTES]
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
