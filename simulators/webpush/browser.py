"""The browsers of the simulator: each has real keys, and reads what is pushed to it as a browser would (RFC 8291)."""

import base64
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field

import http_ece  # type: ignore[import-untyped] # it has no types
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

_AUTH_BYTES = 16
_ID_BYTES = 24
_MAX_KEPT = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Browser:
    """One subscription. `server_key` is the only VAPID key that may push to it, if it has one (RFC 8292, 4.2)."""

    id: str
    behaviour: str
    server_key: str | None
    private: ec.EllipticCurvePrivateKey = field(repr=False)
    auth: bytes = field(repr=False)

    @property
    def keys(self) -> dict[str, str]:
        """What a page would be given: the public key and the secret, in base64url."""
        point = self.private.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        return {"p256dh": encoded(point), "auth": encoded(self.auth)}

    def read(self, body: bytes) -> bytes | None:
        """Return what an encrypted message says, None if it is not for these keys."""
        try:
            found: bytes = http_ece.decrypt(body, private_key=self.private, auth_secret=self.auth, version="aes128gcm")
        except (http_ece.ECEException, ValueError, IndexError):
            return None
        return found


class Browsers:
    """Those that subscribed and did not go. The oldest are forgotten where there are too many."""

    def __init__(self) -> None:
        self._known: dict[str, Browser] = {}

    def __iter__(self) -> Iterator[Browser]:
        return iter(self._known.values())

    def subscribe(self, *, behaviour: str, server_key: str | None) -> Browser:
        """Make a browser with keys of its own."""
        browser = Browser(
            id=encoded(secrets.token_bytes(_ID_BYTES)),
            behaviour=behaviour,
            server_key=server_key,
            private=ec.generate_private_key(ec.SECP256R1()),
            auth=secrets.token_bytes(_AUTH_BYTES),
        )
        if len(self._known) >= _MAX_KEPT:
            del self._known[next(iter(self._known))]
        self._known[browser.id] = browser
        return browser

    def find(self, browser_id: str) -> Browser | None:
        """Return a browser, None if there is none of this id."""
        return self._known.get(browser_id)

    def unsubscribe(self, browser_id: str) -> bool:
        """Forget a browser; return whether there was one."""
        return self._known.pop(browser_id, None) is not None


def encoded(data: bytes) -> str:
    """Return bytes in base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """Return the bytes of base64url without padding. Raises ValueError."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
