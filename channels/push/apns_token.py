"""The provider token: a JWT that proves who we are (RFC 7519, ES256), made rarely and used by every push.

Apple refuses one that is over an hour old, and is cross with who brings a new one more often than every 20 minutes
("Establishing a token-based connection to APNs"). Making one awaits nothing, so it is never made twice at a time.
"""

from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tocsin.clock import Clock
from tocsin.errors import SettingsError

_USED_FOR = timedelta(minutes=45)
_LONGEST = timedelta(minutes=55)
_FORCED_EVERY = timedelta(minutes=20)


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A key of the Apple developer account, as its page hands it out."""

    key_id: str
    team_id: str
    private: EllipticCurvePrivateKey = field(repr=False)

    def sign(self, now: datetime) -> str:
        """Return a provider token that is made now."""
        head = {"alg": "ES256", "kid": self.key_id}
        claims = {"iss": self.team_id, "iat": int(now.timestamp())}
        signed = b".".join(_encoded(msgspec.json.encode(part)) for part in (head, claims))
        r, s = decode_dss_signature(self.private.sign(signed, ECDSA(SHA256())))
        # RFC 7518, section 3.4: the two numbers as they are, not their DER.
        return b".".join((signed, _encoded(r.to_bytes(32, "big") + s.to_bytes(32, "big")))).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    text: str = field(repr=False)
    at: datetime


class ProviderTokens:
    """The token in use, and the one before it, to which there is a way back."""

    def __init__(self, key: SigningKey, clock: Clock) -> None:
        self._key = key
        self._clock = clock
        self._used: _Made | None = None
        self._before: _Made | None = None
        self._until = clock.now()
        self._forced_at: datetime | None = None

    def current(self) -> str:
        """Return the token in use: a new one, if that one has been used for long, or the clock was set back."""
        used, now = self._used, self._clock.now()
        if used is None or not used.at <= now < self._until:
            used = self._make(now)
        return used.text

    def expired(self, token: str) -> str | None:
        """Return another token instead of one that Apple says has expired.

        Those who come with the same token get the same new one. None, if this happened less than 20 minutes ago.
        """
        used, now = self._used, self._clock.now()
        if used is not None and used.text != token:
            return used.text
        if self._forced_at is not None and timedelta(0) <= now - self._forced_at < _FORCED_EVERY:
            return None
        self._forced_at = now
        made = self._make(now)
        self._before = None
        return made.text

    def too_many(self, token: str) -> None:
        """Go back to the token before this one, which Apple says came too soon, while that one is still taken."""
        used, before = self._used, self._before
        if used is None or before is None or used.text != token:
            return
        self._used, self._before, self._until = before, None, before.at + _LONGEST

    def _make(self, now: datetime) -> _Made:
        made = _Made(text=self._key.sign(now), at=now)
        self._used, self._before, self._until = made, self._used, now + _USED_FOR
        return made


def parse(text: str, *, key_id: str, team_id: str) -> SigningKey:
    """Return the key in the text of a .p8 file (PKCS8 in PEM). Raises SettingsError, without the key."""
    try:
        private = load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise SettingsError("apns.key: is not the text of a .p8 file of the Apple developer account") from None
    if not isinstance(private, EllipticCurvePrivateKey) or not isinstance(private.curve, SECP256R1):
        raise SettingsError("apns.key: is no key on the curve P-256, which Apple's are")
    return SigningKey(key_id=key_id, team_id=team_id, private=private)


def _encoded(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")
