"""What Resend tells of a mail later, in its webhooks: is it really from Resend, and what receipt is it? Pure.

Sources: https://resend.com/docs/webhooks/verify-webhooks-requests, https://docs.svix.com/receiving/verifying-payloads/how-manual
"""

import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from channels.email import dsn, tags
from channels.email.api import word
from channels.email.codes import Table
from channels.email.receipts import IGNORED, UNMATCHED, Finding, Result, address_of, receipt, verdict
from tocsin.errors import SettingsError

PROVIDER = "resend"

_PREFIX = "whsec_"
_TOLERANCE = timedelta(minutes=5)
_MOST_SIGNATURES = 10
_RESULTS: dict[str, Result] = {
    "email.bounced": "bounced",
    "email.complained": "complained",
    "email.delivered": "confirmed",
    "email.delivery_delayed": "delayed",
}
_PERMANENT = "Permanent"
# Where the address is known to be dead, although no server was asked.
_DEAD = frozenset({"NoEmail", "Suppressed", "OnAccountSuppressionList"})


def signing_key(secret: str) -> bytes:
    """Return the key in a webhook's secret. Raises SettingsError."""
    try:
        key = b64decode(secret.removeprefix(_PREFIX), validate=True)
    except ValueError:
        key = b""
    if not key:
        raise SettingsError("resend.webhook_secret must be the signing secret of the webhook, which begins with whsec_")
    return key


def signature(key: bytes, message_id: str, timestamp: str, raw: bytes) -> str:
    """Return the signature of a webhook (Svix, version 1)."""
    signed = f"{message_id}.{timestamp}.".encode() + raw
    return "v1," + b64encode(hmac.digest(key, signed, "sha256")).decode()


def believed(key: bytes, headers: Mapping[str, str], raw: bytes, *, now: datetime) -> bool:
    """Return whether a webhook was signed with the key, within five minutes. The names of `headers` are lower case."""
    message_id, timestamp = headers.get("svix-id", ""), headers.get("svix-timestamp", "")
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= len(str(10**10))):
        return False
    if abs(now.timestamp() - int(timestamp)) > _TOLERANCE.total_seconds():
        return False
    right = signature(key, message_id, timestamp, raw).encode()
    # While a secret is rotated there is one signature for each.
    given = headers.get("svix-signature", "").split()[:_MOST_SIGNATURES]
    return any(hmac.compare_digest(each.encode("utf-8", "replace"), right) for each in given)


def finding(event: Mapping[str, Any], table: Table, *, now: datetime) -> Finding:
    """Return what came of an event. `table` is that of SMTP's codes, which Resend passes on."""
    result = _RESULTS.get(word(event.get("type")))
    if result is None:
        return IGNORED
    told = _member(event, "data")
    reference = tags.read(_tags(told), provider=PROVIDER)
    if reference is None:
        return UNMATCHED
    bounce = _member(told, "bounce")
    recipients = [each for each in _listed(told.get("to")) if isinstance(each, str)]
    codes = [each for each in _listed(bounce.get("diagnosticCode")) if isinstance(each, str)]
    recipient = dsn.recipient(action="", status="", diagnostic=codes[0] if codes else "", addresses=tuple(recipients))
    found = verdict(recipient, table)
    dead = result == "complained" or (result == "bounced" and _is_dead(bounce, dead=found.dead))
    kinds = (word(bounce.get("type")), word(bounce.get("subType")))
    event_of_ours = receipt(
        result,
        reference,
        provider_id=word(told.get("email_id"))[:256],
        code=found.code or " ".join(filter(None, kinds)),
        message=recipient.diagnostic or word(bounce.get("message")),
        address=address_of(reference, recipients) if dead else None,
        blames_route=found.blames_route and result == "bounced",
        now=now,
    )
    return Finding(result, event_of_ours, mapped=found.mapped or not codes)


def _is_dead(bounce: Mapping[str, Any], *, dead: bool) -> bool:
    if word(bounce.get("type")) != _PERMANENT:
        return False
    return dead or word(bounce.get("subType")) in _DEAD


def _tags(told: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the tags, which were a list of names and values once, and are an object now."""
    found = told.get("tags")
    if isinstance(found, dict):
        return found
    listed = (each for each in _listed(found) if isinstance(each, dict))
    return {word(each.get("name")): each.get("value") for each in listed}


def _member(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def _listed(found: Any) -> list[Any]:
    if isinstance(found, list):
        return found[:50]
    return [] if found is None else [found]
