"""The provider Vonage: its SMS API, `POST /sms/json`.

It answers 200 whatever became of the message: each part has a status of its own. Where some parts were taken and
others not, nobody knows what arrives. Source: https://developer.vonage.com/api/sms
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import msgspec

from channels.provider import Capabilities, Claim
from channels.sms import answers, codes
from channels.sms.message import Sms
from channels.sms.reference import MOST_CHARACTERS, Reference, References
from channels.sms.settings import VonageSettings
from tocsin.clock import Clock
from tocsin.errors import SettingsError
from tocsin.net.http import Answer, HttpClient, NotSent, Request, Unanswered
from tocsin.net.retry_after import retry_after
from tocsin.outcome import Delivered, Outcome, Unconfirmed
from tocsin.settings.secrets import secret

NAME = "vonage"
STATUS_PATH = "/v1/callbacks/vonage/status"
INBOUND_PATH = "/v1/callbacks/vonage/inbound"

_ACCEPTED = "0"
_OK = 200
# The bounds of `ttl`, in milliseconds.
_LEAST_TTL, _MOST_TTL = 20_000, 604_800_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who we are at Vonage. `signature_secret` signs inbound texts; None where there is none."""

    key: str
    secret: str = field(repr=False)
    signature_secret: str | None = field(repr=False)
    sender: str


def account(settings: VonageSettings) -> Account:
    """Return the account of the settings. Raises SettingsError where they do not say it."""
    found = secret(settings.api_secret, settings.api_secret_file, key="vonage.api_secret")
    signature = secret(settings.signature_secret, settings.signature_secret_file, key="vonage.signature_secret")
    if not settings.api_key or found is None:
        raise SettingsError("vonage.api_key and vonage.api_secret (or vonage.api_secret_file) are required")
    if settings.sender is None:
        raise SettingsError("vonage.sender is required: a number of yours, or a name")
    return Account(key=settings.api_key, secret=found, signature_secret=signature, sender=settings.sender)


class VonageProvider:
    """Implements `channels.provider.Provider` for messages of type `Sms`.

    `public_url` is where Vonage reaches us with receipts; empty, there are none. `on_unmapped` gets each status that
    the table does not know. Raises SettingsError.
    """

    def __init__(
        self,
        settings: VonageSettings,
        *,
        http: HttpClient,
        clock: Clock,
        public_url: str,
        on_unmapped: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._account = account(settings)
        self._url = f"{settings.base_url.rstrip('/')}/sms/json"
        self._callback = f"{public_url.rstrip('/')}{STATUS_PATH}" if public_url else None
        if self._callback is not None and len(self._callback) > MOST_CHARACTERS:
            raise SettingsError(f"http.public_url is too long: Vonage takes callbacks of {MOST_CHARACTERS} characters")
        self._http = http
        self._clock = clock
        self._references = References(self._account.secret)
        self._table = codes.load("vonage_codes.toml")
        self._on_unmapped = on_unmapped
        login = base64.b64encode(f"{self._account.key}:{self._account.secret}".encode()).decode()
        self._headers = {
            "Authorization": f"Basic {login}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }

    @property
    def name(self) -> str:
        """The route's name."""
        return NAME

    @property
    def capabilities(self) -> Capabilities:
        """No idempotency; receipts where Vonage can reach us; as many messages at a time as connections."""
        ours = self._settings
        return ours.applied_to(Capabilities(receipts=self._callback is not None, max_in_flight=ours.connections))

    async def send(self, message: Sms, *, key: str, deadline: float, claim: Claim) -> Outcome:
        """Send one text, as the port demands. `key` names the life, which the receipt brings back."""
        body = urlencode(self._parameters(message, key)).encode()
        request = Request(method="POST", url=self._url, headers=self._headers, body=body)
        try:
            answer = await self._http.send(request, deadline=deadline, claim=claim)
        except NotSent as error:
            return answers.not_sent(error)
        except Unanswered as error:
            return answers.unanswered(error)
        return self._outcome(answer)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def _parameters(self, message: Sms, key: str) -> dict[str, str]:
        found = {
            "from": self._account.sender,
            "to": message.to.removeprefix("+"),
            "text": message.text,
            "type": "text" if message.encoding == "gsm7" else "unicode",
        }
        left = message.expires_at - self._clock.now()
        if left > timedelta():
            # Vonage promises no less than 20 s: a message may arrive that long after its expiry.
            found["ttl"] = str(min(max(left // timedelta(milliseconds=1), _LEAST_TTL), _MOST_TTL))
        reference = self._references.write(Reference.of(message, key), message.to)
        if self._callback is not None and len(reference) <= MOST_CHARACTERS:
            found |= {"callback": self._callback, "client-ref": reference, "status-report-req": "true"}
        return found

    def _outcome(self, answer: Answer) -> Outcome:
        wait = retry_after(answer.headers.get("retry-after"), self._clock.now())
        status = str(answer.status)
        parts = _parts(answer.body)
        if answer.status != _OK:
            text = answer.body.decode("utf-8", "replace")
            return answers.by_status(answer.status, text, told=status, retry_after=wait)
        if not parts:
            return Unconfirmed(phase="answer", code=status, message="the answer cannot be read")
        refused = [part for part in parts if _text(part, "status") != _ACCEPTED]
        if not refused:
            return Delivered(provider_id=_text(parts[0], "message-id") or None, code=_ACCEPTED)
        code, text = _text(refused[0], "status"), _text(refused[0], "error-text")
        if len(refused) < len(parts):
            detail = f"{len(parts) - len(refused)} of {len(parts)} parts were taken: {text}"
            return Unconfirmed(phase="partly_taken", code=code, message=codes.redacted(detail))
        found = [self._refused(part, wait) for part in refused]
        # Any part of which nobody knows makes the whole one of which nobody knows: its text may have gone on its way.
        return next((each for each in found if isinstance(each, Unconfirmed)), found[0])

    def _refused(self, part: Mapping[str, Any], wait: timedelta | None) -> Outcome:
        code, text = _text(part, "status"), _text(part, "error-text")
        found = self._table.outcome(code, text, told=code, retry_after=wait)
        if found is not None:
            return found
        self._on_unmapped(code)
        return answers.by_status(400, text, told=code, retry_after=wait)


def _parts(body: bytes) -> Sequence[Mapping[str, Any]]:
    """Return the parts that an answer tells of; none if it cannot be read."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ()
    parts = document.get("messages") if isinstance(document, dict) else None
    if not isinstance(parts, list) or not all(isinstance(part, dict) and "status" in part for part in parts):
        return ()
    return parts


def _text(part: Mapping[str, Any], name: str) -> str:
    value = part.get(name)
    return "" if value is None else str(value)
