"""Browsers to push to: each has keys of its own, so that nobody gains by having seen them before."""

import hashlib
from base64 import urlsafe_b64encode

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

# Ours, of RFC 8291, appendix A.
VAPID_KEY = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"


def keys(number: int) -> dict[str, str]:
    """Return the keys of a subscription, as a page gets them from its browser."""
    point = derive_private_key(number + 1, SECP256R1()).public_key()
    uncompressed = point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return {"p256dh": _text(uncompressed), "auth": _text(hashlib.md5(str(number).encode()).digest())}  # noqa: S324


def endpoint(port: int, number: int) -> str:
    """Return where a subscription is reached."""
    return f"http://127.0.0.1:{port}/push/{number:08}"


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
