"""What Resend's webhooks tell of a mail, signed (Svix). Pure.

Sources: https://resend.com/docs/webhooks/event-types, https://docs.svix.com/receiving/verifying-payloads/how-manual
"""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from simulators.mail.telling import Kind, Sent
from tocsin.clock import rfc3339

SECRET = "whsec_c2ltdWxhdGVkLXdlYmhvb2stc2VjcmV0"  # noqa: S105 - the simulator's

_TYPES: Mapping[Kind, str] = {
    "delivered": "email.delivered",
    "bounced": "email.bounced",
    "full": "email.bounced",
    "delayed": "email.delivery_delayed",
    "complained": "email.complained",
}
_BOUNCES: Mapping[Kind, Mapping[str, Any]] = {
    "bounced": {
        "type": "Permanent",
        "subType": "General",
        "message": "The recipient's mail server permanently rejected the email.",
        "diagnosticCode": ["smtp; 550 5.1.1 user unknown"],
    },
    "full": {
        "type": "Transient",
        "subType": "MailboxFull",
        "message": "The recipient's mailbox is full.",
        "diagnosticCode": ["smtp; 552 5.2.2 mailbox full"],
    },
}


def event(kind: Kind, sent: Sent, *, now: datetime) -> tuple[Mapping[str, str], bytes]:
    """Return the headers and the body of a webhook."""
    data: dict[str, Any] = {
        "email_id": sent.provider_id,
        "created_at": rfc3339(sent.mail.at),
        "to": list(sent.mail.recipients),
        "tags": dict(sent.tags),
    }
    if kind in _BOUNCES:
        data["bounce"] = _BOUNCES[kind]
    raw = msgspec.json.encode({"type": _TYPES[kind], "created_at": rfc3339(now), "data": data})
    name, timestamp = f"msg_{sent.mail.id}_{kind}", str(int(now.timestamp()))
    key = b64decode(SECRET.removeprefix("whsec_"))
    signature = b64encode(hmac.digest(key, f"{name}.{timestamp}.".encode() + raw, "sha256")).decode()
    headers = {"svix-id": name, "svix-timestamp": timestamp, "svix-signature": f"v1,{signature}"}
    return {"Content-Type": "application/json", **headers}, raw
