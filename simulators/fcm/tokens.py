"""The token endpoint of Google, as far as a service account needs it (RFC 7523): assertions in, access tokens out."""

import binascii
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from simulators.fcm.account import Account
from tocsin.clock import Clock

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LIFETIME_SECONDS = 3599
# Google's clients sign for Google, whatever host they are pointed at.
_AUDIENCES = frozenset(
    {
        "https://oauth2.googleapis.com/token",
        "https://www.googleapis.com/oauth2/v4/token",
        "https://accounts.google.com/o/oauth2/token",
    }
)
_SCOPES = frozenset(
    {"https://www.googleapis.com/auth/firebase.messaging", "https://www.googleapis.com/auth/cloud-platform"}
)
_LONGEST_SECONDS = 3600
_SKEW_SECONDS = 300
_PARTS = 3


class Granted(NamedTuple):
    """An access token, good for so many seconds."""

    token: str
    seconds: int


class Refused(NamedTuple):
    """An error of RFC 6749, section 5.2."""

    error: str
    description: str


class Tokens:
    """The tokens that were granted. `audience` is the endpoint's own URL, which assertions may name too."""

    def __init__(
        self, account: Account, *, clock: Clock, randbytes: Callable[[int], bytes], audience: str | None = None
    ) -> None:
        self._account = account
        self._clock = clock
        self._randbytes = randbytes
        self._audiences = _AUDIENCES | ({audience} if audience else set())
        self._ends_at: dict[str, float] = {}
        self.granted = 0

    def grant(self, grant_type: str, assertion: str) -> Granted | Refused:
        """Return a token for an assertion of the account, or what is wrong with it, in Google's words."""
        if grant_type != GRANT:
            return Refused("unsupported_grant_type", f"Invalid grant_type: {grant_type}")
        claims = self._claims(assertion)
        if claims is None:
            return Refused("invalid_grant", "Invalid JWT Signature.")
        if wrong := self._wrong_with(claims):
            return wrong
        token = "ya29.sim-" + urlsafe_b64encode(self._randbytes(24)).decode()
        self._ends_at[token] = self._clock.monotonic() + LIFETIME_SECONDS
        self.granted += 1
        return Granted(token, LIFETIME_SECONDS)

    def holds(self, token: str) -> bool:
        """Return whether a token was granted, and is still good."""
        return self._clock.monotonic() < self._ends_at.get(token, 0.0)

    def revoke(self) -> None:
        """Make every token worthless, as if its time were over."""
        self._ends_at.clear()

    def _claims(self, assertion: str) -> dict[str, Any] | None:
        """Return the claims of an assertion that the account has signed, else None."""
        signed, _, signature = assertion.rpartition(".")
        if signed.count(".") != _PARTS - 2:
            return None
        try:
            head, claims = (msgspec.json.decode(_decoded(part)) for part in signed.split("."))
            if head != {"alg": "RS256", "typ": "JWT", "kid": self._account.key_id}:
                return None
            self._account.key.public_key().verify(_decoded(signature), signed.encode(), PKCS1v15(), SHA256())
        except (ValueError, InvalidSignature):
            return None
        return claims if isinstance(claims, dict) else None

    def _wrong_with(self, claims: dict[str, Any]) -> Refused | None:
        if claims.get("iss") != self._account.email:
            return Refused("invalid_grant", "Invalid grant: account not found")
        if claims.get("aud") not in self._audiences:
            return Refused("invalid_grant", "Invalid JWT: Failed audience check.")
        if not _SCOPES.intersection(str(claims.get("scope", "")).split()):
            return Refused("invalid_scope", "Invalid OAuth scope or ID token audience provided.")
        issued, ends, now = claims.get("iat"), claims.get("exp"), self._clock.now().timestamp()
        timely = (
            isinstance(issued, int)
            and isinstance(ends, int)
            and issued <= now + _SKEW_SECONDS
            and now < ends <= issued + _LONGEST_SECONDS
        )
        if not timely:
            detail = "Token must be a short-lived token (60 minutes) and in a reasonable timeframe."
            return Refused("invalid_grant", f"Invalid JWT: {detail} Check your iat and exp values in the JWT claim.")
        return None


def _decoded(part: str) -> bytes:
    """Return base64url without padding (RFC 7515, section 2). Raises ValueError if it is none."""
    try:
        return b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("no base64url") from error
