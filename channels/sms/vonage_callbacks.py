"""Callbacks of Vonage: delivery receipts, which bring our signed reference back, and texts that people write back.

Sources: https://developer.vonage.com/messaging/sms/guides/delivery-receipts and, for what is signed by Vonage itself,
https://developer.vonage.com/getting-started/concepts/signing-messages
"""

import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import msgspec
from fastapi import Request

from channels.sms import codes, keywords
from channels.sms.inbox import Inbox
from channels.sms.receipts import Ending, Told
from channels.sms.reference import References
from channels.sms.vonage import NAME, Account
from tocsin.clock import Clock, from_ms

_MOST_FIELDS = 200
_UNIX_SECONDS = re.compile("[0-9]{1,10}")
_RECENT = timedelta(minutes=5)
# What is not here is not final: accepted, buffered, unknown.
_ENDINGS: Mapping[str, Ending] = {
    "delivered": "confirmed",
    "expired": "failed",
    "failed": "failed",
    "rejected": "failed",
}


class VonageCallbacks:
    """Reads Vonage's callbacks. Each handler returns whether it believes what came.

    `before` are those with the secrets before these: references that were made with them still come back.
    """

    def __init__(
        self, account: Account, *, inbox: Inbox, clock: Clock, before: "VonageCallbacks | None" = None
    ) -> None:
        self.references: References = References(account.secret, None if before is None else before.references)
        self._signature_secret = account.signature_secret
        self._inbox = inbox
        self._clock = clock
        self._table = codes.load("vonage_codes.toml")

    async def status(self, request: Request, raw: bytes) -> bool:
        """Take a delivery receipt. Only Vonage was given the reference; if it signs as well, that must be right."""
        told = _parameters(request, raw)
        number = f"+{told['msisdn']}" if told.get("msisdn") else ""
        reference = self.references.read(told.get("client-ref", ""), number)
        if reference is None or not self._signature_fits(told):
            return False
        ending = _ENDINGS.get(told.get("status", ""))
        if ending is not None:
            receipt = Told(
                provider=NAME,
                provider_id=told.get("messageId", ""),
                number=number,
                ending=ending,
                code=told.get("err-code", ""),
            )
            await self._inbox.receipt(receipt, reference, self._table)
        return True

    async def inbound(self, request: Request, raw: bytes) -> bool:
        """Take a text that somebody wrote to us. Anybody could say so: without a signature secret none is believed."""
        told = _parameters(request, raw)
        if self._signature_secret is None or not self._signature_fits(told):
            return False
        wish = keywords.wish(told.get("text", ""))
        # A STOP is taken however late it comes.
        if wish == "start" and not self._is_recent(told):
            return False
        await self._inbox.text(
            wish,
            provider=NAME,
            provider_id=told.get("messageId", ""),
            number=f"+{told.get('msisdn', '')}",
            written_at=_written_at(told),
        )
        return True

    def _is_recent(self, told: Mapping[str, str]) -> bool:
        """Return whether Vonage has signed it only just now, so that nobody repeats what was overheard."""
        signed_at = _seconds(told.get("timestamp", ""))
        return signed_at is not None and abs(self._clock.now() - signed_at) <= _RECENT

    def _signature_fits(self, told: Mapping[str, str]) -> bool:
        """Return whether the signature is right, or none is asked for."""
        if self._signature_secret is None:
            return True
        expected = signature(told, self._signature_secret)
        return hmac.compare_digest(expected.encode(), told.get("sig", "").upper().encode("utf-8", "replace"))


def signature(told: Mapping[str, str], secret: str) -> str:
    """Return Vonage's SHA-256 HMAC of parameters, `sig` apart: by name, `&name=value`, `&` and `=` in values as `_`."""
    pairs = (f"&{name}={_plain(told[name])}" for name in sorted(told) if name != "sig")
    return hmac.digest(secret.encode(), "".join(pairs).encode("utf-8", "replace"), "sha256").hex().upper()


def _written_at(told: Mapping[str, str]) -> datetime | None:
    """Return the time of a text, which is the same whenever it is told again; else that of its signature."""
    try:
        return datetime.strptime(told.get("message-timestamp", "")[:19], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return _seconds(told.get("timestamp", ""))


def _seconds(text: str) -> datetime | None:
    return from_ms(int(text) * 1000) if _UNIX_SECONDS.fullmatch(text) else None


def _plain(value: str) -> str:
    return value.replace("&", "_").replace("=", "_")


def _parameters(request: Request, raw: bytes) -> Mapping[str, str]:
    """Return what a callback tells: in the query, in a form or in JSON, as the account is set up."""
    if request.headers.get("content-type", "").startswith("application/json"):
        try:
            document = msgspec.json.decode(raw, type=dict[str, str | int | float | bool | None])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return {}
        return {name: value if isinstance(value, str) else str(value) for name, value in document.items()}
    try:
        form = dict(parse_qsl(raw.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError:
        return {}
    return {**request.query_params, **form}
