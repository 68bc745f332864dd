"""How we tell a push service who we are: `Authorization: vapid t=…, k=…` (RFC 8292), one token for each origin.

A token is good for every message to its origin, so it is signed once and kept until it has an hour left.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from channels.browser import base64url
from channels.browser.keys import VapidKey
from tocsin.errors import SettingsError

# At most 24 hours (RFC 8292, section 2); half of that leaves room for clocks that disagree.
LIFETIME = timedelta(hours=12)
_RENEWED_BEFORE = timedelta(hours=1)
_MAX_KEPT = 1_000
_HEADER = base64url.encode(b'{"typ":"JWT","alg":"ES256"}')
_HALF = 32
_MAILTO = re.compile(r"mailto:[^\s<>@,?]+@(?P<host>[A-Za-z0-9.-]+)")
_HTTPS = re.compile(r"https://(?P<host>[A-Za-z0-9.-]+)(?::\d+)?(?:/[^\s<>]*)?")
# Apple refuses every token whose subject nobody could be reached at.
_UNREACHABLE = frozenset({"localhost", "local", "localdomain", "invalid", "test", "internal"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Token:
    header: str
    renew_at: datetime


class Vapid:
    """Makes the header, and keeps it. `now` is the clock's; `subject` is whom a push service may write to."""

    def __init__(self, subject: str, *, now: Callable[[], datetime]) -> None:
        self._subject = subject
        self._now = now
        self._kept: dict[tuple[str, str], _Token] = {}

    def header(self, key: VapidKey, origin: str) -> str:
        """Return the value of `Authorization` for an origin, signed with this key."""
        place = (key.id, origin)
        kept = self._kept.get(place)
        now = self._now()
        if kept is not None and now < kept.renew_at:
            return kept.header
        self._kept.pop(place, None)
        if len(self._kept) >= _MAX_KEPT:
            del self._kept[next(iter(self._kept))]
        made = _Token(header=_signed(key, origin, self._subject, now), renew_at=now + LIFETIME - _RENEWED_BEFORE)
        self._kept[place] = made
        return made.header

    def forget(self, key: VapidKey, origin: str) -> None:
        """Sign anew next time: the push service took offence at this one."""
        self._kept.pop((key.id, origin), None)


def subject(text: str | None) -> str:
    """Return the setting `webpush.subject`, checked as the strictest push service does. Raises SettingsError."""
    expected = "it must be like mailto:push@example.com or https://example.com/contact"
    if not text:
        raise SettingsError(f"webpush.subject is not set: {expected}, where push services can reach you")
    found = _MAILTO.fullmatch(text) or _HTTPS.fullmatch(text)
    if found is None:
        raise SettingsError(f"webpush.subject: {expected}, without spaces or angle brackets")
    labels = found["host"].lower().rstrip(".").split(".")
    if len(labels) == 1 or labels[-1] in _UNREACHABLE:
        raise SettingsError(f"webpush.subject: nobody can be reached at {found['host']}, and Apple checks that")
    return text


def _signed(key: VapidKey, origin: str, subject: str, now: datetime) -> str:
    claims = {"aud": origin, "exp": int((now + LIFETIME).timestamp()), "sub": subject}
    body = f"{_HEADER}.{base64url.encode(msgspec.json.encode(claims))}"
    r, s = decode_dss_signature(key.private.sign(body.encode(), ec.ECDSA(hashes.SHA256())))
    signature = base64url.encode(r.to_bytes(_HALF, "big") + s.to_bytes(_HALF, "big"))
    return f"vapid t={body}.{signature}, k={key.public}"
