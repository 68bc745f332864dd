"""The section `bounces` of the settings: where mail that comes back comes back to, and who takes it in."""

import re
from collections.abc import Iterable
from typing import Literal

import msgspec

from channels.email.address import parse
from channels.email.reference import References
from channels.email.return_path import ReturnPaths
from tocsin.errors import SettingsError
from tocsin.settings.secrets import secret
from tocsin.settings.sections import MIB, Count, Name, Secret
from tocsin.validation import Fault

BOUNCES = "bounces"

_LEAST_SECRET = 16
_LISTEN = re.compile(r"(?:\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<host>[A-Za-z0-9.-]+)):(?P<port>[0-9]{1,5})")
_MOST_PORT = 65535


class BouncesSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[bounces]`: without a `domain` nothing of it is in use."""

    # Bounces come back to `bounce+<token>@<domain>`.
    domain: Name | None = None
    # Signs the tokens.
    secret: Secret | None = None
    secret_file: Name | None = None
    # Files of secrets that were in use before.
    retired_secret_files: tuple[Name, ...] = ()
    # `host:port` to listen at; empty: nowhere.
    listen: str = ""
    protocol: Literal["lmtp", "smtp"] = "lmtp"
    max_bytes: Count = 2 * MIB


def return_paths(settings: BouncesSettings, *, retired: Iterable[str] = ()) -> ReturnPaths | None:
    """Return the return paths, None where no domain is set. Raises SettingsError that names the key to set.

    Tokens of `retired` secrets are read as well, besides those that the settings name.
    """
    found = secret(settings.secret, settings.secret_file, key="bounces.secret")
    if settings.domain is None:
        for key, given in (("secret", found), ("listen", settings.listen)):
            if given:
                raise SettingsError(f"bounces.{key} is set, but bounces.domain is not: set the domain of return paths")
        return None
    if found is None:
        raise SettingsError(
            "bounces.domain is set: set bounces.secret_file (or bounces.secret) too, which signs the return paths"
        )
    if len(found) < _LEAST_SECRET:
        raise SettingsError(
            f"bounces.secret must have {_LEAST_SECRET} characters at least, such as 64 random hex digits"
        )
    address = parse(f"x@{settings.domain}")
    if isinstance(address, Fault):
        raise SettingsError("bounces.domain must be a domain name like bounces.example.com")
    files = (secret(None, file, key="bounces.retired_secret") for file in settings.retired_secret_files)
    before = [each for each in files if each is not None]
    return ReturnPaths(References(found, retired=[*before, *retired]), domain=address.rpartition("@")[2])


def listen_at(settings: BouncesSettings) -> tuple[str, int] | None:
    """Return the host and the port to listen at, None for nowhere. Raises SettingsError."""
    if not settings.listen:
        return None
    found = _LISTEN.fullmatch(settings.listen)
    if found is None or int(found["port"]) > _MOST_PORT:
        raise SettingsError("bounces.listen must be a host and a port like 127.0.0.1:8024")
    return found["six"] or found["host"], int(found["port"])
