"""The one place where addresses and secrets are taken out of text that is about to be written down.

It masks too much rather than too little: "Basic authentication failed" loses a word, no address gets through. All
patterns are linear in the text: a match starts only where a run of its characters starts, and never gives back.
"""

import re

MASK = "[redacted]"
LIMIT = 2_000

_SEARCHED = 65_536
_LONGEST_ADDRESS = 512

# What RFC 5321 allows in an unquoted local part, and letters beyond ASCII (RFC 6531).
_ATOM = r"\w!#$%&'*+/=?^`{|}~.\-"
_EMAIL = re.compile(
    rf"""(?:"(?:[^"\\\n]|\\.){{1,64}}"|(?<![{_ATOM}])[{_ATOM}]++)  # the local part, quoted or not
         @(?:\[[^\]\s]*+\]?|[\w.\-]++)                             # the domain, or an address literal""",
    re.VERBOSE,
)
_URL_LOGIN = re.compile(r"(?<=://)[^\s/@]*+@")
_PHONE = re.compile(r"\+[ (]?\d(?:[ ().\-\u00a0]{0,2}\d){5,}+")
_API_KEY = re.compile(r"\btcs_[\w\-]++")
_LOGIN = re.compile(r"\b(bearer|basic|digest)\s+[\w.~+/=:\-]++", re.IGNORECASE)
_ASSIGNED = re.compile(
    r"""((?:password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|signature|sig|authorization)["']?\s?[=:]\s?)
        (?:"[^"]*+"|'[^']*+'|[^\s&;,'"]++)""",
    re.IGNORECASE | re.VERBOSE,
)
# Device tokens and the tails of push endpoints: no name that we make ourselves is as long.
_OPAQUE = re.compile(r"(?<![\w:\-])(?=[\w:\-]*\d)[\w:\-]{60,}+")


def text(raw: str, *, limit: int = LIMIT) -> str:
    """Return the text without addresses and secrets, cut to `limit` characters (an ellipsis says so)."""
    found = _masked(_plain(raw[:_SEARCHED]))
    if len(raw) > _SEARCHED:
        # This cut may have gone through an address, and half of one is not recognised: drop what may be a part.
        found = found[:-_LONGEST_ADDRESS]
        return found[:limit] + "…"
    return found if len(found) <= limit else found[:limit] + "…"


def _plain(raw: str) -> str:
    """Return the text with what URLs encode of an address decoded, and without what no sink can encode."""
    if not raw.isascii():
        raw = raw.encode("utf-8", "backslashreplace").decode("utf-8")
    if "%" in raw:
        raw = raw.replace("%40", "@").replace("%2B", "+").replace("%2b", "+")
    return raw


def _masked(raw: str) -> str:
    if "@" in raw:
        raw = _EMAIL.sub(MASK, _URL_LOGIN.sub(f"{MASK}@", raw))
    if "+" in raw:
        raw = _PHONE.sub(MASK, raw)
    raw = _API_KEY.sub(MASK, raw)
    raw = _LOGIN.sub(rf"\1 {MASK}", raw)
    raw = _ASSIGNED.sub(rf"\1{MASK}", raw)
    return _OPAQUE.sub(MASK, raw)
