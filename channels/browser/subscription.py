"""A push subscription: what a browser's `PushSubscription.toJSON()` gives, checked, and written as one address. Pure.

The sizes and the curve of the keys are those of RFC 8291, section 2; a key that is not on the curve is an attack on
ours or a mistake, and fails either way.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from channels.browser import base64url
from channels.browser.endpoint import EndpointPolicy
from tocsin.validation import Fault

_POINT_BYTES = 65
_UNCOMPRESSED = 0x04
_AUTH_BYTES = 16
_PARTS = (3, 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """Where a browser is reached, and the keys to encrypt for it (base64url). All of it is a secret of the person's.

    `key_id` is the id of the VAPID key that it was made with; None stands for the one in use when it is sent to.
    """

    endpoint: str = field(repr=False)
    p256dh: str = field(repr=False)
    auth: str = field(repr=False)
    key_id: str | None = None

    @property
    def address(self) -> str:
        """The subscription as the address of a delivery: its parts with spaces between, none of which has one."""
        parts = (self.endpoint, self.p256dh, self.auth)
        return " ".join(parts if self.key_id is None else (*parts, self.key_id))


def read(
    document: Mapping[str, Any], *, pointer: str, policy: EndpointPolicy, key_id: str | None = None
) -> Subscription | Fault:
    """Return a subscription that the schema has accepted, or what is wrong with it, at `pointer` and below."""
    endpoint, keys = document["endpoint"], document["keys"]
    if (detail := policy.fault(endpoint)) is not None:
        return Fault(pointer=f"{pointer}/endpoint", detail=detail)
    if (point := _point(keys["p256dh"])) is None:
        detail = "must be an uncompressed point of the curve P-256 in base64url: 65 bytes"
        return Fault(pointer=f"{pointer}/keys/p256dh", detail=detail)
    if (auth := _bytes(keys["auth"], _AUTH_BYTES)) is None:
        return Fault(pointer=f"{pointer}/keys/auth", detail=f"must be {_AUTH_BYTES} bytes in base64url")
    return Subscription(
        endpoint=endpoint,
        p256dh=base64url.encode(point),
        auth=base64url.encode(auth),
        key_id=document.get("key_id", key_id),
    )


def from_address(address: str) -> Subscription:
    """Return the subscription that an address was made of. Raises ValueError for what is none."""
    parts = address.split(" ")
    if len(parts) not in _PARTS or not all(parts):
        raise ValueError("not the address of a subscription")
    if _point(parts[1]) is None or _bytes(parts[2], _AUTH_BYTES) is None:
        raise ValueError("not the keys of a subscription")
    return Subscription(
        endpoint=parts[0], p256dh=parts[1], auth=parts[2], key_id=parts[3] if len(parts) == _PARTS[1] else None
    )


def _point(text: str) -> bytes | None:
    point = _bytes(text, _POINT_BYTES)
    if point is None or point[0] != _UNCOMPRESSED:
        return None
    # Several megabytes, which a gateway without this channel has no use for.
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError:
        return None
    return point


def _bytes(text: str, size: int) -> bytes | None:
    try:
        found = base64url.decode(text)
    except ValueError:
        return None
    return found if len(found) == size else None
