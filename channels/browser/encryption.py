"""Encryption of a message for one browser: `aes128gcm` (RFC 8188) with the keys of RFC 8291, in exactly one record."""

from channels.browser.subscription import Subscription

# A push service need not take more than 4,096 bytes (RFC 8030, section 7.2): header 86, tag 16 and delimiter 1 off.
MAX_BODY = 4096
MAX_PLAINTEXT = MAX_BODY - 103
ENCODING = "aes128gcm"


def encrypt(plaintext: bytes, subscription: Subscription) -> bytes:
    """Return the body to send, with a key pair and a salt of its own.

    Raises ValueError for a plaintext that is empty or too large: the message was to be refused before.
    """
    # Brings two HTTP clients that nobody here uses: only who sends to browsers shall pay for them.
    from pywebpush import (  # type: ignore[import-untyped] # it has no types  # noqa: PLC0415
        WebPusher,
    )

    if not 0 < len(plaintext) <= MAX_PLAINTEXT:
        raise ValueError(f"a plaintext has 1 to {MAX_PLAINTEXT} bytes, not {len(plaintext)}")
    told = {"endpoint": subscription.endpoint, "keys": {"p256dh": subscription.p256dh, "auth": subscription.auth}}
    body: bytes = WebPusher(told).encode(plaintext, content_encoding=ENCODING)["body"]
    return body
