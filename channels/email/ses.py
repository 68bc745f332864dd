"""The provider Amazon SES: `SendEmail` of its API, version 2, with the mail as its exact bytes.

Nothing at SES is idempotent: after a call without an answer nobody knows. It writes Date and Message-ID anew. Source:
https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
"""

import re
from binascii import b2a_base64
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from channels.email import api, api_codes, sigv4, tags
from channels.email.mail import Mail
from channels.email.return_path import ReturnPaths
from channels.email.ses_settings import SesSettings
from channels.provider import Capabilities, Claim
from tocsin.clock import Clock
from tocsin.errors import SettingsError
from tocsin.net import origin
from tocsin.net.http import Answer, Request
from tocsin.net.retry_after import retry_after
from tocsin.outcome import Delivered, Outcome, Unconfirmed
from tocsin.settings.secrets import secret

NAME = "ses"
REWRITTEN = ("Date", "Message-ID")
"""The fields that SES writes anew, so a DKIM signature must not cover them:
https://docs.aws.amazon.com/ses/latest/dg/send-email-authentication-dkim-manual.html"""

_PATH = "/v2/email/outbound-emails"
_REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-[0-9]{1,2}")
_KEY_ID = re.compile(r"[A-Za-z0-9]{4,128}")
_OK = 200


class SesProvider:
    """Implements `channels.provider.Provider` for messages of type `Mail`.

    Reads its secret once. Raises SettingsError. `on_unmapped` gets each error that the table of codes does not know.
    With `return_paths` each mail gets one of its own.
    """

    def __init__(
        self,
        settings: SesSettings,
        *,
        clock: Clock,
        on_unmapped: Callable[[str], None],
        return_paths: ReturnPaths | None = None,
    ) -> None:
        self._credentials = credentials(settings)
        self._scope = sigv4.Scope(region=settings.region, service="ses")
        base = settings.base_url or f"https://email.{settings.region}.amazonaws.com"
        self._http = api.client("ses.base_url", base, settings, clock)
        self._url = base.rstrip("/") + _PATH
        at, self._path = origin.parse(self._url, allow_plain=True)
        self._host = at.authority
        self._settings = settings
        self._return_paths = return_paths
        self._clock = clock
        self._on_unmapped = on_unmapped
        self._table = api_codes.load("ses_codes.toml", idempotent=False)

    @property
    def name(self) -> str:
        """The route's name."""
        return NAME

    @property
    def capabilities(self) -> Capabilities:
        """SES has no idempotency; as many messages at a time as connections."""
        ours = self._settings
        return ours.applied_to(Capabilities(receipts=ours.sns_topic is not None, max_in_flight=ours.connections))

    async def send(self, message: Mail, *, key: str, deadline: float, claim: Claim) -> Outcome:
        """Send one mail, as the port demands. `key` says whose it is when it comes back: SES is not idempotent."""
        if (refusal := api.obstacle(message)) is not None:
            return refusal
        mail = message if self._return_paths is None else self._return_paths.signed(message, key, provider=NAME)
        told = tags.of(message, key) if self._settings.sns_topic is not None else {}
        answer = await api.call(self._http, self._request(mail, told), deadline=deadline, claim=claim)
        return self._read(answer) if isinstance(answer, Answer) else answer

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def _request(self, mail: Mail, told: Mapping[str, str]) -> Request:
        document: dict[str, Any] = {
            "Destination": {"ToAddresses": [mail.recipient]},
            "Content": {"Raw": {"Data": b2a_base64(mail.data, newline=False).decode()}},
            # SES makes the envelope's sender itself; this is where it sends bounces.
            "FeedbackForwardingEmailAddress": mail.sender,
        }
        if self._settings.configuration_set is not None:
            document["ConfigurationSetName"] = self._settings.configuration_set
        if told:
            document["EmailTags"] = [{"Name": name, "Value": value} for name, value in told.items()]
        body = msgspec.json.encode(document)
        headers = sigv4.headers(
            method="POST",
            host=self._host,
            path=self._path,
            headers={"Content-Type": "application/json"},
            body=body,
            credentials=self._credentials,
            scope=self._scope,
            now=self._clock.now(),
        )
        return Request(method="POST", url=self._url, headers=headers, body=body)

    def _read(self, answer: Answer) -> Outcome:
        found = api.document(answer.body)
        if answer.status == _OK:
            named = api.word(found.get("MessageId"))
            if not named:
                return Unconfirmed(phase="answer", code="200", message="the answer names no message")
            return Delivered(provider_id=named[:256], code="200")
        error = error_name(answer.headers.get("x-amzn-errortype") or api.word(found.get("__type")))
        text = api.word(found.get("message")) or api.word(found.get("Message"))
        wait = retry_after(answer.headers.get("retry-after"), self._clock.now())
        outcome, mapped = self._table.classify(answer.status, error, text, wait)
        if not mapped:
            self._on_unmapped(outcome.code)
        return outcome


def error_name(text: str) -> str:
    """Return an error's name without what AWS puts around it: of `ns#Throttling:http://…` the name is `Throttling`."""
    return text.partition(":")[0].rpartition("#")[2].strip()


def credentials(settings: SesSettings) -> sigv4.Credentials:
    """Return who we are at AWS. Raises SettingsError that says which key is missing or wrong."""
    if not _REGION.fullmatch(settings.region):
        raise SettingsError("ses.region must be a region of AWS like eu-central-1")
    key_id = secret(settings.access_key_id, settings.access_key_id_file, key="ses.access_key_id") or ""
    if not _KEY_ID.fullmatch(key_id):
        raise SettingsError("ses.access_key_id must be the id of an access key of AWS, which begins with AKIA or ASIA")
    found = secret(settings.secret_access_key, settings.secret_access_key_file, key="ses.secret_access_key")
    if found is None:
        raise SettingsError("ses.secret_access_key_file (or ses.secret_access_key) is required to send through ses")
    return sigv4.Credentials(
        access_key_id=key_id,
        secret_access_key=found,
        session_token=secret(settings.session_token, settings.session_token_file, key="ses.session_token"),
    )
