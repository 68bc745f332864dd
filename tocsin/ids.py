"""Ids: a time-ordered one for a notification, and those that derive from it, so that a repeat gives the same.

An id is a prefix and 26 characters of Crockford's base 32 in lower case: 48 bits of Unix milliseconds, then 80 bits
(random for a notification, a hash for what derives from it). Time order keeps unique indexes on ids three times
cheaper than random ids would.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime

from tocsin.clock import from_ms, to_ms

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}
_PAIRS = tuple(a + b for a in _ALPHABET for b in _ALPHABET)
_BODY = 26
_TIME = 10
_REST = (1 << 80) - 1

NOTIFICATION = "ntf_"
DELIVERY = "dlv_"
DEAD_LETTER = "dlt_"
EVENT = "evt_"


def _encode(number: int) -> str:
    """Return a number of 130 bits as 26 characters: the time and the rest."""
    return "".join([_PAIRS[number >> shift & 1023] for shift in range(120, 70, -10)]) + _encode_rest(number & _REST)


def _encode_rest(number: int) -> str:
    """Return a number of 80 bits as 16 characters, written out: every event of every attempt has such an id."""
    # Halves, since small integers are the fast ones.
    high, low = number >> 40, number & 0xFF_FFFF_FFFF
    return (
        f"{_PAIRS[high >> 30]}{_PAIRS[high >> 20 & 1023]}{_PAIRS[high >> 10 & 1023]}{_PAIRS[high & 1023]}"
        f"{_PAIRS[low >> 30]}{_PAIRS[low >> 20 & 1023]}{_PAIRS[low >> 10 & 1023]}{_PAIRS[low & 1023]}"
    )


def _digest(*parts: str) -> int:
    text = "\x1f".join(parts).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=10).digest(), "big")


def notification_id(now: datetime, randbytes: Callable[[int], bytes]) -> str:
    """Return a new notification id: `ntf_` + 26 characters that sort by `now`."""
    return NOTIFICATION + _encode(to_ms(now) << 80 | int.from_bytes(randbytes(10), "big"))


def derived(prefix: str, parent: str, *parts: str) -> str:
    """Return the id of something that belongs to `parent`: its time, and a hash of the parent and `parts`."""
    time = parent.partition("_")[2][:_TIME]
    return prefix + time + _encode_rest(_digest(parent, *parts))


def delivery_id(notification: str, channel: str, address: str) -> str:
    """Return the delivery id of one channel and one address of a notification."""
    return derived(DELIVERY, notification, channel, address)


def hashed(prefix: str, *parts: str) -> str:
    """Return an id that is a hash of `parts` alone, for what has no parent."""
    return prefix + _encode(_digest(*parts))


def made_at(identifier: str) -> datetime | None:
    """Return when the id (or its parent) was made, or None if it is not one of ours."""
    body = identifier.partition("_")[2]
    if len(body) != _BODY or any(character not in _VALUES for character in body):
        return None
    milliseconds = 0
    for character in body[:_TIME]:
        milliseconds = milliseconds << 5 | _VALUES[character]
    try:
        return from_ms(milliseconds)
    except OverflowError:
        return None


def recipient_key(tenant: str, recipient: str) -> bytes:
    """Return the log key of a recipient: the same partition for the same person, and no address in it."""
    return hashlib.blake2b(f"{tenant}\x1f{recipient}".encode(), digest_size=12).hexdigest().encode()


def lowest(prefix: str, moment: datetime) -> str:
    """Return the text below which every id made before `moment` sorts, and no later one."""
    return prefix + _encode(to_ms(moment) << 80)
