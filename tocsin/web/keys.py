"""API keys: `tcs_` and 43 base64url characters (256 random bits), of which only the hash is ever stored.

A test key begins with `tcs_test_`, so that everybody sees what it is.
"""

import base64
import hashlib
import re
from collections.abc import Callable
from typing import Protocol

from tocsin.store.keys import Key, Mode

PREFIX = "tcs_"
TEST_PREFIX = "tcs_test_"

# 43 characters follow in both, so the length tells which it is: those of a live key may begin with `test_` by chance.
_FORM = re.compile(r"tcs_(test_)?[A-Za-z0-9_\-]{43}", re.ASCII)


class KeyStore(Protocol):
    """Where keys are kept. Asked for a key at most every 30 s while it is in use."""

    async def find(self, key_hash: str, /) -> Key | None:
        """Return the key with this hash, None if there is none or it is revoked. May raise StoreUnavailable."""


def newkey(randbytes: Callable[[int], bytes], *, mode: Mode = "live") -> tuple[str, str]:
    """Return a new key, to be shown once, and its hash, to be stored. `randbytes` must be fit for secrets."""
    prefix = TEST_PREFIX if mode == "test" else PREFIX
    plain = prefix + base64.urlsafe_b64encode(randbytes(32)).rstrip(b"=").decode()
    return plain, hashed(plain)


def hashed(plain: str) -> str:
    """Return the SHA-256 of a key in hex. A fast hash is right here: there are 256 bits to guess."""
    return hashlib.sha256(plain.encode()).hexdigest()


def well_formed(plain: str) -> bool:
    """Return whether this can be a key at all, so that the store need not be asked about anything else."""
    return mode_of(plain) is not None


def mode_of(plain: str) -> Mode | None:
    """Return the mode that a key says of itself, None if it is no key."""
    found = _FORM.fullmatch(plain)
    if found is None:
        return None
    return "test" if found[1] else "live"
