"""A device as a recipient's entry, and as the address of a delivery: `<provider>:<token>`.

A token is the vendor's own and opaque: it is held to be printable, and to fit into an address.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tocsin.validation import Fault

POINTER = "/recipient/push"
SERVICES = frozenset({"fcm", "apns"})
_HEX = frozenset("0123456789abcdef")


class Device(NamedTuple):
    """One device: which service reaches it, and the token that this service gave it."""

    provider: str
    token: str


def addresses(recipient: Mapping[str, Any], *, services: frozenset[str] = SERVICES) -> Sequence[str] | Fault:
    """Return the addresses of a recipient's devices, each once, or what is wrong with the first that is wrong.

    The schema has checked the shape; `services` are those that are configured. Tokens of APNs are hexadecimal and
    compared without regard to case, so they are written in lower case; those of FCM are as they are.
    """
    entries = recipient.get("push")
    if entries is None:
        return Fault(pointer=POINTER, detail="is required for the channel push")
    found: dict[str, None] = {}
    for index, entry in enumerate(entries):
        provider, token = entry["provider"], entry["token"]
        if provider not in services:
            detail = f"is not configured here; configured: {', '.join(sorted(services))}"
            return Fault(pointer=f"{POINTER}/{index}/provider", detail=detail)
        if provider == "apns":
            token = token.lower()
            if not _HEX.issuperset(token) or len(token) % 2:
                detail = "must be the device token in hexadecimal, as the app registered it"
                return Fault(pointer=f"{POINTER}/{index}/token", detail=detail)
        found[f"{provider}:{token}"] = None
    return tuple(found)


def parse(address: str) -> Device:
    """Return the device of an address. One without a provider has an empty one."""
    provider, colon, token = address.partition(":")
    return Device(provider, token) if colon else Device("", address)
