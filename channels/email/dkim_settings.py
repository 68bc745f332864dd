"""From the settings `email.dkim_*` to a signer, or to none. The key is read and parsed once."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from channels.email.address import parse
from channels.email.dkim import Key, Signer
from channels.email.settings import EmailSettings
from tocsin.errors import SettingsError
from tocsin.validation import Fault

# RFC 8301, section 3.2: signers should use 2048 bits at least.
_LEAST_BITS = 2048
# RFC 6376, section 3.1: labels of the DNS with dots between them.
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_SELECTOR = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")


def signer(settings: EmailSettings, *, sender_domain: str, unsigned: Iterable[str] = ()) -> Signer | None:
    """Return what signs our mails, None where no key is set. For `unsigned` see `Signer`. Raises SettingsError."""
    if settings.dkim_key_file is None:
        for name in ("dkim_selector", "dkim_domain"):
            if getattr(settings, name) is not None:
                raise SettingsError(f"email.{name} is set, but email.dkim_key_file is not")
        return None
    if settings.dkim_selector is None:
        raise SettingsError("email.dkim_key_file is set: set email.dkim_selector too, the key's name in the DNS")
    if not _SELECTOR.fullmatch(settings.dkim_selector):
        raise SettingsError("email.dkim_selector must be a name of the DNS like mail2030")
    domain = sender_domain if settings.dkim_domain is None else _domain(settings.dkim_domain)
    key = _key(Path(settings.dkim_key_file))
    return Signer(key, domain=domain, selector=settings.dkim_selector, unsigned=unsigned)


def _domain(text: str) -> str:
    found = parse(f"x@{text}")
    if isinstance(found, Fault):
        raise SettingsError("email.dkim_domain must be a domain name like example.com")
    return found.rpartition("@")[2]


def _key(path: Path) -> Key:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        detail = os.strerror(error.errno or 0)
        raise SettingsError(f"email.dkim_key_file ({path}) cannot be read: {detail}") from error
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # What the library says may quote the file.
        raise SettingsError(f"email.dkim_key_file ({path}) is no private key in PEM, or is encrypted") from None
    if isinstance(key, RSAPrivateKey):
        if key.key_size < _LEAST_BITS:
            raise SettingsError(f"email.dkim_key_file ({path}) has {key.key_size} bits: {_LEAST_BITS} is the least")
        return key
    if isinstance(key, Ed25519PrivateKey):
        return key
    raise SettingsError(f"email.dkim_key_file ({path}) is neither an RSA nor an Ed25519 key")
