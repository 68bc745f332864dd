"""Callbacks of Twilio: status of texts, and texts that people write back. Signed with the account's auth token.

Source: https://www.twilio.com/docs/usage/security#validating-requests
"""

from collections.abc import Mapping
from urllib.parse import parse_qsl, quote

from fastapi import Request
from starlette.datastructures import ImmutableMultiDict
from twilio.request_validator import (  # type: ignore[import-untyped] # it has no types
    SIGNATURE_HEADER,
    SIGNATURE_SETTINGS_HEADER,
    RequestValidator,
    get_signature_algorithm,
)

from channels.sms import codes, keywords
from channels.sms.inbox import Inbox
from channels.sms.keywords import Wish
from channels.sms.receipts import Ending, Told
from channels.sms.reference import References
from channels.sms.twilio import INBOUND_PATH, NAME, STATUS_PATH

Form = ImmutableMultiDict[str, str]

_MOST_FIELDS = 200
# What is not here is not final: accepted, scheduled, queued, sending, sent.
_ENDINGS: Mapping[str, Ending] = {
    "delivered": "confirmed",
    "undelivered": "failed",
    "failed": "failed",
    "canceled": "failed",
    "read": "read",
}
# Twilio's Advanced Opt-Out says itself what it took a text for.
_OPT_OUT_TYPES: Mapping[str, Wish] = {"STOP": "stop", "START": "start", "HELP": "help"}


class TwilioCallbacks:
    """Reads Twilio's callbacks. Each handler returns whether it believes what came.

    `before` are those with the auth token before this one: Twilio signs with the new one what brings back our
    references of the old one.
    """

    def __init__(
        self, auth_token: str, *, public_url: str, inbox: Inbox, before: "TwilioCallbacks | None" = None
    ) -> None:
        self._validator = RequestValidator(auth_token)
        self.references: References = References(auth_token, None if before is None else before.references)
        self._public_url = public_url.rstrip("/")
        self._inbox = inbox
        self._table = codes.load("twilio_codes.toml")

    async def status(self, request: Request, raw: bytes) -> bool:
        """Take the status of a text."""
        text = request.path_params["reference"]
        form = self._signed(request, raw, STATUS_PATH + quote(text, safe=""))
        reference = None if form is None else self.references.read(text, _field(form, "To"))
        if form is None or reference is None:
            return False
        ending = _ENDINGS.get(_field(form, "MessageStatus"))
        if ending is not None:
            told = Told(
                provider=NAME,
                provider_id=_field(form, "MessageSid"),
                number=_field(form, "To"),
                ending=ending,
                code=_field(form, "ErrorCode"),
                text=_field(form, "ErrorMessage"),
            )
            await self._inbox.receipt(told, reference, self._table)
        return True

    async def inbound(self, request: Request, raw: bytes) -> bool:
        """Take a text that somebody wrote to us."""
        form = self._signed(request, raw, INBOUND_PATH)
        if form is None:
            return False
        wish = _OPT_OUT_TYPES.get(_field(form, "OptOutType")) or keywords.wish(_field(form, "Body"))
        sid = _field(form, "MessageSid")
        await self._inbox.text(wish, provider=NAME, provider_id=sid, number=_field(form, "From"))
        return True

    def _signed(self, request: Request, raw: bytes, path: str) -> Form | None:
        """Return the form if Twilio signed it for the URL that it was given, which no proxy has changed."""
        signature = request.headers.get(SIGNATURE_HEADER)
        if signature is None:
            return None
        try:
            form = Form(parse_qsl(raw.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS))
        except ValueError:
            return None
        url = self._public_url + path + (f"?{request.url.query}" if request.url.query else "")
        algorithm = get_signature_algorithm(request.headers.get(SIGNATURE_SETTINGS_HEADER))
        return form if self._validator.validate(url, form, signature, algorithm) else None


def _field(form: Form, name: str) -> str:
    return str(form.get(name, ""))
