"""API keys: `tcs_` and 43 base64url characters (256 random bits), of which only the hash is ever stored."""

import base64
import hashlib
import re
from collections.abc import Callable
from typing import Protocol

from tocsin.store.keys import Key

PREFIX = "tcs_"

_FORM = re.compile(r"tcs_[A-Za-z0-9_\-]{43}", re.ASCII)


class KeyStore(Protocol):
    """Where keys are kept. Asked for a key at most every 30 s while it is in use."""

    async def find(self, key_hash: str, /) -> Key | None:
        """Return the key with this hash, None if there is none or it is revoked. May raise StoreUnavailable."""


def newkey(randbytes: Callable[[int], bytes]) -> tuple[str, str]:
    """Return a new key, to be shown once, and its hash, to be stored. `randbytes` must be fit for secrets."""
    plain = PREFIX + base64.urlsafe_b64encode(randbytes(32)).rstrip(b"=").decode()
    return plain, hashed(plain)


def hashed(plain: str) -> str:
    """Return the SHA-256 of a key in hex. A fast hash is right here: there are 256 bits to guess."""
    return hashlib.sha256(plain.encode()).hexdigest()


def well_formed(plain: str) -> bool:
    """Return whether this can be a key at all, so that the store need not be asked about anything else."""
    return _FORM.fullmatch(plain) is not None
