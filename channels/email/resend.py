"""The provider Resend: `POST /emails`, with the mail in its parts. Source: https://resend.com/docs/api-reference/emails

It is idempotent for 24 hours: the same key and the same body get the first answer again, and are one mail. It makes
the message itself and signs it with its own DKIM key.
"""

import re
from collections.abc import Callable

from channels.email import api, api_codes, resend_message, tags
from channels.email.mail import Mail
from channels.email.resend_settings import ResendSettings
from channels.provider import Capabilities, Claim
from tocsin.clock import Clock
from tocsin.errors import SettingsError
from tocsin.net.http import Answer, Request
from tocsin.net.retry_after import retry_after
from tocsin.outcome import Delivered, Outcome, Unconfirmed
from tocsin.settings.secrets import secret

NAME = "resend"
_KEY = re.compile(r"[!-~]+")
_SUCCESS = range(200, 300)


class ResendProvider:
    """Implements `channels.provider.Provider` for messages of type `Mail` that carry their parts.

    Reads its key once. Raises SettingsError. `on_unmapped` gets each error that the table of codes does not know.
    """

    def __init__(self, settings: ResendSettings, *, clock: Clock, on_unmapped: Callable[[str], None]) -> None:
        key = secret(settings.api_key, settings.api_key_file, key="resend.api_key")
        if key is None:
            raise SettingsError("resend.api_key_file (or resend.api_key) is required to send through resend")
        if not _KEY.fullmatch(key):
            raise SettingsError("resend.api_key must be one word of ASCII, which begins with re_")
        self._http = api.client("resend.base_url", settings.base_url, settings, clock)
        self._url = settings.base_url.rstrip("/") + "/emails"
        # Without a User-Agent Resend refuses everything with 403.
        self._headers = {
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/json",
            "User-Agent": "tocsin",
        }
        self._settings = settings
        self._is_told = webhook_secret(settings) is not None
        self._clock = clock
        self._on_unmapped = on_unmapped
        self._table = api_codes.load("resend_codes.toml", idempotent=True)

    @property
    def name(self) -> str:
        """The route's name."""
        return NAME

    @property
    def capabilities(self) -> Capabilities:
        """Idempotent; as many messages at a time as connections."""
        ours = self._settings
        return ours.applied_to(Capabilities(idempotency=True, receipts=self._is_told, max_in_flight=ours.connections))

    async def send(self, message: Mail, *, key: str, deadline: float, claim: Claim) -> Outcome:
        """Send one mail, as the port demands. `key` makes a repeated call the same mail."""
        if (refusal := api.obstacle(message)) is not None:
            return refusal
        request = Request(
            method="POST",
            url=self._url,
            headers={**self._headers, "Idempotency-Key": key},
            body=resend_message.body(message, tags=tags.of(message, key) if self._is_told else {}),
        )
        answer = await api.call(self._http, request, deadline=deadline, claim=claim)
        return self._read(answer) if isinstance(answer, Answer) else answer

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def _read(self, answer: Answer) -> Outcome:
        found = api.document(answer.body)
        if answer.status in _SUCCESS:
            named = api.word(found.get("id"))
            if not named:
                return Unconfirmed(phase="answer", code=str(answer.status), message="the answer names no message")
            return Delivered(provider_id=named[:256], code=str(answer.status))
        wait = retry_after(answer.headers.get("retry-after"), self._clock.now())
        outcome, mapped = self._table.classify(
            answer.status, api.word(found.get("name")), api.word(found.get("message")), wait
        )
        if not mapped:
            self._on_unmapped(outcome.code)
        return outcome


def webhook_secret(settings: ResendSettings) -> str | None:
    """Return the secret of the webhook that tells us of mails, None where there is none. Raises SettingsError."""
    return secret(settings.webhook_secret, settings.webhook_secret_file, key="resend.webhook_secret")
