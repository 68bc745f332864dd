"""Base64url without padding (RFC 4648, section 5), as Web Push writes keys, tokens and topics."""

import base64
import binascii

_ALPHABET = str.maketrans("+/", "-_")


def encode(data: bytes) -> str:
    """Return bytes as text, without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """Return the bytes of a text, with or without padding, of either alphabet. Raises ValueError for anything else."""
    bare = text.rstrip("=").translate(_ALPHABET)
    if not bare.isascii():
        raise ValueError("not base64url")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("not base64url") from error
