"""Tickets: what opens one inbox for a while. Pure.

An EventSource cannot send headers, so a page has its ticket in the URL; that is why it is short-lived, opens nothing
but one person's inbox, and is made by the site's backend, which knows who is signed in.
"""

import hmac
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from channels.browser import base64url
from channels.browser.inbox_message import Owner
from tocsin.clock import from_ms, to_ms

_PURPOSE = b"tocsin-inbox-ticket\x1f"
# Two recipients of 256 characters of four bytes each, and what is around them.
_MOST_CHARACTERS = 4096

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(tuple[str, str, int])


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """Whose inbox it opens, and until when."""

    owner: Owner = field(repr=False)
    expires_at: datetime


class Tickets:
    """Signs tickets and reads them. Whoever has not the secret cannot make one."""

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, _PURPOSE, "sha256")

    def write(self, ticket: Ticket) -> str:
        """Return the ticket as text of base64url and one dot."""
        payload = base64url.encode(_encoder.encode((*ticket.owner, to_ms(ticket.expires_at))))
        return f"{payload}.{self._mac(payload)}"

    def read(self, text: str, *, now: datetime) -> Ticket | None:
        """Return the ticket in a text, None if it is not one of ours or has expired."""
        payload, _, mac = text.rpartition(".")
        if len(text) > _MOST_CHARACTERS or not hmac.compare_digest(
            self._mac(payload).encode(), mac.encode("utf-8", "replace")
        ):
            return None
        tenant, recipient_id, expires_at = _decoder.decode(base64url.decode(payload))
        ticket = Ticket(owner=Owner(tenant, recipient_id), expires_at=from_ms(expires_at))
        return ticket if now < ticket.expires_at else None

    def _mac(self, payload: str) -> str:
        return base64url.encode(hmac.digest(self._key, payload.encode("utf-8", "replace"), "sha256"))
