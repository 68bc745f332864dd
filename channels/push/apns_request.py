"""A push as APNs wants it: one POST to the device's own path, with what is about it in the headers. Pure."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID, uuid5

import msgspec

from channels.push.message import Push

MOST_BYTES: Final = 4096

# Of our own making: it only has to stay what it is, so that a repeat has the same id.
_IDS = UUID("6f9c3d0e-54f1-4f0c-9d53-6c0a3b7c2a11")
_PRIORITIES = {"high": "10", "normal": "5"}
_MOST_COLLAPSE_ID = 64


def path(push: Push) -> str:
    """Return where the push goes, below the server's origin."""
    return f"/3/device/{push.token}"


def headers(push: Push, *, topic: str, provider_token: str) -> Mapping[str, str]:
    """Return the headers of a push, by their names in lower case ("Sending notification requests to APNs")."""
    return {
        "authorization": f"bearer {provider_token}",
        "apns-topic": topic,
        "apns-push-type": "alert",
        "apns-id": push_id(push),
        "apns-expiration": str(int(push.expires_at.timestamp())),
        "apns-priority": _PRIORITIES[push.priority],
        "apns-collapse-id": push.collapse_id[:_MOST_COLLAPSE_ID],
    }


def body(push: Push) -> bytes:
    """Return the payload. What the app gets of `data` lies beside Apple's own `aps`, which it cannot replace."""
    return msgspec.json.encode({**push.data, "aps": {"alert": {"title": push.title, "body": push.body}}})


def push_id(push: Push) -> str:
    """Return the push's own id: the same for each attempt, another for each device."""
    return str(uuid5(_IDS, f"{push.notification_id}\x1f{push.token}"))
