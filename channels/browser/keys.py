"""Our VAPID keys: the one that pages subscribe with now, and older ones that subscriptions are still bound to.

A subscription is for ever bound to the key that it was made with (RFC 8292, section 4.2). So a key is replaced by
adding a new one, and the old one stays, retired, until no page has subscriptions of it any more.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from channels.browser import base64url
from channels.browser.settings import WebPushSettings
from tocsin.errors import SettingsError
from tocsin.settings.secrets import secret

_RAW_BYTES = 32
_ID_BYTES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class VapidKey:
    """One key pair. `public` is what pages subscribe with: the uncompressed point in base64url."""

    id: str
    public: str
    private: ec.EllipticCurvePrivateKey = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class VapidKeys:
    """The keys that we have, by id; `current` is among them."""

    current: VapidKey
    by_id: Mapping[str, VapidKey]

    def find(self, key_id: str | None) -> VapidKey | None:
        """Return the key of this id, the one in use for None, and None for one that we do not have."""
        return self.current if key_id is None else self.by_id.get(key_id)


def load(settings: WebPushSettings) -> VapidKeys:
    """Read the keys that the settings name. Raises SettingsError, which repeats nothing of a key."""
    keys = list(_keys(settings))
    return VapidKeys(current=keys[0], by_id={key.id: key for key in reversed(keys)})


def succeeding(before: VapidKeys | None, now: VapidKeys) -> VapidKeys:
    """Return the keys of now. Raises SettingsError if that in use before is not among them: its subscriptions would
    be lost, all of them."""
    if before is not None and before.current.id not in now.by_id:
        raise SettingsError(
            "webpush.vapid_key_file: has another key, and the one before is in none of webpush.retired_key_files, "
            "where subscriptions need it; put it there, and then the new one here"
        )
    return now


def read(text: str) -> VapidKey | None:
    """Return a private key given in PEM (PKCS8 or SEC1, not encrypted) or as 32 bytes in base64url; None for others."""
    private = _pem(text) if "-----BEGIN" in text else _raw(text.strip())
    if private is None or not isinstance(private.curve, ec.SECP256R1):
        return None
    point = private.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    key_id = base64url.encode(hashlib.sha256(point).digest()[:_ID_BYTES])
    return VapidKey(id=key_id, public=base64url.encode(point), private=private)


def _keys(settings: WebPushSettings) -> Iterator[VapidKey]:
    current = secret(settings.vapid_key, settings.vapid_key_file, key="webpush.vapid_key")
    if current is None:
        raise SettingsError("webpush.vapid_key_file is not set: make a key with `tocsin vapid new`")
    yield _readable(current, "webpush.vapid_key")
    for path in settings.retired_key_files:
        yield _readable(secret(None, path, key="webpush.retired_key") or "", f"webpush.retired_key_files: {path}")


def _readable(text: str, where: str) -> VapidKey:
    found = read(text)
    if found is None:
        raise SettingsError(f"{where}: is no private key of the curve P-256; make one with `tocsin vapid new`")
    return found


def _pem(text: str) -> ec.EllipticCurvePrivateKey | None:
    try:
        found = serialization.load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it is encrypted
        return None
    return found if isinstance(found, ec.EllipticCurvePrivateKey) else None


def _raw(text: str) -> ec.EllipticCurvePrivateKey | None:
    try:
        raw = base64url.decode(text)
        return ec.derive_private_key(int.from_bytes(raw, "big"), ec.SECP256R1()) if len(raw) == _RAW_BYTES else None
    except ValueError:
        return None
