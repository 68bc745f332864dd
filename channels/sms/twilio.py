"""The provider Twilio: `Messages` of its REST API, through its library.

Nothing at Twilio is idempotent: after a call without an answer nobody knows. Source:
https://www.twilio.com/docs/messaging/api/message-resource
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from twilio.base.exceptions import (  # type: ignore[import-untyped] # it has no types
    TwilioRestException,
    TwilioServiceException,
)

from channels.provider import Capabilities, Claim
from channels.sms import answers, codes
from channels.sms.message import Sms
from channels.sms.reference import Reference, References
from channels.sms.sdk import Call, Library
from channels.sms.settings import TwilioSettings
from tocsin.clock import Clock
from tocsin.errors import SettingsError
from tocsin.net.http import Answer, HttpClient, NotSent, Unanswered
from tocsin.net.retry_after import retry_after
from tocsin.outcome import Delivered, Outcome, Unconfirmed
from tocsin.settings.secrets import secret

NAME = "twilio"
STATUS_PATH = "/v1/callbacks/twilio/status/"
INBOUND_PATH = "/v1/callbacks/twilio/inbound"

_MOST_VALID_SECONDS = 36_000
_FAILED = frozenset({"failed", "undelivered", "canceled"})
_ACCOUNT = re.compile(r"AC[0-9A-Za-z_-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who we are at Twilio. `auth_token` signs callbacks; it is None where only an API key was given."""

    sid: str
    username: str
    password: str = field(repr=False)
    auth_token: str | None = field(repr=False)


def account(settings: TwilioSettings) -> Account:
    """Return the account of the settings. Raises SettingsError where they do not say it, or contradict each other."""
    token = secret(settings.auth_token, settings.auth_token_file, key="twilio.auth_token")
    key = secret(settings.api_key_secret, settings.api_key_secret_file, key="twilio.api_key_secret")
    if not _ACCOUNT.fullmatch(settings.account_sid):
        raise SettingsError("twilio.account_sid must be the account's SID, which begins with AC")
    key_sid = secret(settings.api_key_sid, settings.api_key_sid_file, key="twilio.api_key_sid")
    if (key_sid is None) != (key is None):
        raise SettingsError("twilio.api_key_sid and twilio.api_key_secret go together: set both, or neither")
    if (settings.messaging_service_sid is None) == (settings.sender is None):
        raise SettingsError("set one of twilio.messaging_service_sid and twilio.sender")
    if key_sid is not None and key is not None:
        return Account(sid=settings.account_sid, username=key_sid, password=key, auth_token=token)
    if token is None:
        raise SettingsError("twilio.auth_token (or twilio.api_key_sid with its secret) is required")
    return Account(sid=settings.account_sid, username=settings.account_sid, password=token, auth_token=token)


class TwilioProvider:
    """Implements `channels.provider.Provider` for messages of type `Sms`.

    `public_url` is where Twilio reaches us with receipts; empty, or without an auth token, there are none.
    `on_unmapped` gets each code that the table does not know. Raises SettingsError.
    """

    def __init__(
        self,
        settings: TwilioSettings,
        *,
        http: HttpClient,
        clock: Clock,
        public_url: str,
        on_unmapped: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._account = account(settings)
        self._http = http
        self._library = Library(
            http,
            username=self._account.username,
            password=self._account.password,
            account_sid=self._account.sid,
            base_url=settings.base_url,
        )
        self._clock = clock
        self._public_url = public_url.rstrip("/")
        self._references = References(self._account.auth_token) if public_url and self._account.auth_token else None
        self._table = codes.load("twilio_codes.toml")
        self._on_unmapped = on_unmapped

    @property
    def name(self) -> str:
        """The route's name."""
        return NAME

    @property
    def capabilities(self) -> Capabilities:
        """No idempotency; receipts where Twilio can reach us; as many messages at a time as connections."""
        ours = self._settings
        return ours.applied_to(Capabilities(receipts=self._references is not None, max_in_flight=ours.connections))

    async def send(self, message: Sms, *, key: str, deadline: float, claim: Claim) -> Outcome:
        """Send one text, as the port demands. `key` names the life, which the status callback brings back."""
        call = Call(deadline=deadline, claim=claim)
        try:
            made = await self._library.create_message(self._parameters(message, key), call)
        except NotSent as error:
            return answers.not_sent(error)
        except Unanswered as error:
            return answers.unanswered(error)
        except TwilioRestException as error:
            return self._refused(call.answer, error.code, error.msg)
        except TwilioServiceException as error:
            return self._refused(call.answer, error.code, f"{error.title} {error.detail or ''}")
        except Exception:
            if call.answer is None:
                raise
            # Twilio said yes, in words that its library cannot read.
            return Unconfirmed(phase="answer", code=str(call.answer.status), message="the answer cannot be read")
        return self._taken(call.answer, made)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def _parameters(self, message: Sms, key: str) -> dict[str, Any]:
        settings = self._settings
        found: dict[str, Any] = {"to": message.to, "body": message.text}
        if settings.messaging_service_sid is not None:
            found["messaging_service_sid"] = settings.messaging_service_sid
        else:
            found["from_"] = settings.sender
        # A replay outlives the expiry of the first life: what is left of that is nothing that could be asked for.
        left = int((message.expires_at - self._clock.now()).total_seconds())
        if left > 0:
            found["validity_period"] = min(left, _MOST_VALID_SECONDS)
        if self._references is not None:
            reference = self._references.write(Reference.of(message, key), message.to)
            found["status_callback"] = f"{self._public_url}{STATUS_PATH}{reference}"
        return found

    def _taken(self, answer: Answer | None, made: Any) -> Outcome:
        """Return what a success is: Twilio gives what it took a SID, and tells of what failed at once in its status."""
        if not isinstance(made.sid, str) or not made.sid:
            status = "" if answer is None else str(answer.status)
            return Unconfirmed(phase="answer", code=status, message="the answer names no message")
        if made.status in _FAILED and made.error_code:
            return self._refused(answer, made.error_code, made.error_message or "")
        return Delivered(provider_id=made.sid, code=str(made.status or ""))

    def _refused(self, answer: Answer | None, code: Any, text: str) -> Outcome:
        """Return what a refusal means: by its code; by the HTTP status where the table does not know the code."""
        status = 0 if answer is None else answer.status
        wait = None if answer is None else retry_after(answer.headers.get("retry-after"), self._clock.now())
        told = str(status) if code is None or str(code) == str(status) else f"{status} {code}"
        if status == 429:  # noqa: PLR2004 - never processed, whatever the code
            return answers.by_status(status, text, told=told, retry_after=wait)
        found = self._table.outcome(str(code), text, told=told, retry_after=wait)
        if found is not None:
            return found
        self._on_unmapped(str(code))
        return answers.by_status(status, text, told=told, retry_after=wait)
