"""Who pushes: the check of `Authorization: vapid t=…, k=…` that push services make (RFC 8292). Pure."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from simulators.webpush.browser import decoded

_LONGEST = timedelta(hours=24)
_HALF = 32
_TOKEN_PARTS = 3
_PART = re.compile(r"\s*(?P<name>[tk])\s*=\s*\"?(?P<value>[A-Za-z0-9_.-]+)\"?\s*")
_SUBJECT = re.compile(r"(?:mailto:|https://)[^\s<>]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A token that holds: the key that signed it, and who it says they are."""

    key: str
    subject: str


def check(header: str | None, *, origin: str, now: datetime) -> Signed | str:
    """Return who pushes to a service of this origin, or what is wrong with the header."""
    scheme, _, rest = (header or "").partition(" ")
    if scheme.lower() != "vapid":
        return "there is no VAPID token"
    parts = {found["name"]: found["value"] for each in rest.split(",") if (found := _PART.fullmatch(each))}
    if parts.keys() != {"t", "k"}:
        return "the header must have t and k"
    claims = _claims(parts["t"], parts["k"])
    if claims is None:
        return "the token is not signed with the key"
    return _wrong(claims, origin, now) or Signed(key=parts["k"], subject=claims["sub"])


def _claims(token: str, key: str) -> dict[str, Any] | None:
    """Return what a token claims, None unless it is signed with ES256 and this key (RFC 7515)."""
    pieces = token.split(".")
    if len(pieces) != _TOKEN_PARTS:
        return None
    try:
        header, claims = (msgspec.json.decode(decoded(each)) for each in pieces[:2])
        signature = decoded(pieces[2])
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), decoded(key))
        r, s = int.from_bytes(signature[:_HALF], "big"), int.from_bytes(signature[_HALF:], "big")
        public.verify(encode_dss_signature(r, s), ".".join(pieces[:2]).encode(), ec.ECDSA(hashes.SHA256()))
    except (ValueError, InvalidSignature):
        return None
    fine = isinstance(header, dict) and isinstance(claims, dict) and header.get("alg") == "ES256"
    return claims if fine and len(signature) == 2 * _HALF else None


def _wrong(claims: dict[str, Any], origin: str, now: datetime) -> str | None:
    expires, subject = claims.get("exp"), claims.get("sub")
    if claims.get("aud") != origin:
        return f"aud must be {origin}"
    if not isinstance(expires, int) or not now.timestamp() < expires <= (now + _LONGEST).timestamp():
        return "exp must be within the next 24 hours"
    if not isinstance(subject, str) or _SUBJECT.fullmatch(subject) is None:
        return "sub must be a mailto: or https: URL"
    return None
