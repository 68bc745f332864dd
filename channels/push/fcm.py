"""The provider: Firebase Cloud Messaging over its HTTP v1 API, one call a message."""

import asyncio
import re
from collections.abc import Callable

from channels.provider import Capabilities, Claim
from channels.push import fcm_account, fcm_answer, fcm_codes, fcm_request
from channels.push.fcm_account import Account
from channels.push.fcm_settings import FcmSettings
from channels.push.fcm_token import Tokens
from channels.push.message import Push
from tocsin.clock import Clock
from tocsin.errors import SettingsError
from tocsin.net import origin
from tocsin.net.client import Client
from tocsin.net.http import Answer, NotSent, Request, Unanswered
from tocsin.net.retry_after import retry_after
from tocsin.outcome import Deferred, Delivered, Misconfigured, Outcome, Unconfirmed
from tocsin.settings import secrets

NAME = "fcm"
_PROJECT = re.compile(r"[a-z0-9][a-z0-9.:-]{0,99}")
_OK = 200
_UNAUTHORIZED = 401


class FcmProvider:
    """Implements `channels.provider.Provider` for messages of type `Push`.

    Reads the service account once. Raises SettingsError if it cannot be used, or an URL is none. `on_unmapped` gets
    each code that the table of codes does not know.
    """

    name = NAME

    def __init__(self, settings: FcmSettings, *, clock: Clock, on_unmapped: Callable[[str], None]) -> None:
        account = _account(settings)
        token_url = settings.token_url or account.token_uri
        for key, url in (("base_url", settings.base_url), ("token_url", token_url)):
            _check(key, url)
        project = settings.project_id or account.project_id
        if not _PROJECT.fullmatch(project):
            raise SettingsError("fcm.project_id: must be the id of a Firebase project, like my-shop-1a2b3")
        self.capabilities = settings.applied_to(Capabilities(max_in_flight=settings.connections))
        self._url = f"{settings.base_url.rstrip('/')}/v1/projects/{project}/messages:send"
        self._timeout = settings.timeout_seconds
        self._clock = clock
        self._on_unmapped = on_unmapped
        self._table = fcm_codes.load()
        plain = any(url.startswith("http://") for url in (settings.base_url, token_url))
        self._client = Client(connections=settings.connections, monotonic=clock.monotonic, allow_plain=plain)
        self._tokens = Tokens(account, url=token_url, client=self._client, clock=clock)

    async def send(self, message: Push, *, key: str, deadline: float, claim: Claim) -> Outcome:  # noqa: ARG002
        """Send one push, as the port demands. `key` is of no use: nothing at FCM is idempotent.

        A 401 says that the message was not processed: it is sent once more, with a new token and under the same claim.
        Nothing else is repeated here.
        """
        token = await self._tokens.get(self._until(deadline))
        if not isinstance(token, str):
            return token
        answer = await self._call(message, token, deadline, claim)
        if isinstance(answer, Answer) and _wants_another_token(answer):
            self._tokens.refused(token)
            token = await self._tokens.get(self._until(deadline))
            if not isinstance(token, str):
                return token
            answer = await self._call(message, token, deadline, None)
        return self._read(answer, message) if isinstance(answer, Answer) else answer

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _call(self, message: Push, token: str, deadline: float, claim: Claim | None) -> Answer | Outcome:
        request = Request(
            method="POST",
            url=self._url,
            headers={"authorization": f"Bearer {token}", "content-type": "application/json"},
            body=fcm_request.body(message, self._clock.now()),
        )
        try:
            return await self._client.send(request, deadline=self._until(deadline), claim=claim)
        except NotSent as error:
            if error.ours:
                return Misconfigured(detail=f"fcm.base_url: {error.cause}", code=error.cause, message=error.cause)
            return Deferred(cause=error.cause)
        except Unanswered as error:
            return Unconfirmed(phase=error.phase)

    def _read(self, answer: Answer, message: Push) -> Outcome:
        if answer.status == _OK:
            name = fcm_answer.message_name(answer.body)
            if name is None:
                return Unconfirmed(phase="answer", code="200", message="the answer is not one of FCM's")
            return Delivered(provider_id=name, code="200")
        wait = retry_after(answer.headers.get("retry-after"), self._clock.now())
        said = fcm_answer.complaint(answer.body, message.token)
        reading = self._table.classify(answer.status, said, wait)
        if reading.unmapped:
            self._on_unmapped(reading.unmapped)
        return reading.outcome

    def _until(self, deadline: float) -> float:
        return min(deadline, asyncio.get_running_loop().time() + self._timeout)


def _wants_another_token(answer: Answer) -> bool:
    """Return whether it is our token that was refused: FCM has a code of its own for the keys of others."""
    return answer.status == _UNAUTHORIZED and not fcm_answer.complaint(answer.body, "").error_code


def _account(settings: FcmSettings) -> Account:
    text = secrets.secret(settings.credentials, settings.credentials_file, key="fcm.credentials")
    if text is None:
        raise SettingsError("fcm.credentials_file: is required to send through FCM")
    return fcm_account.parse(text)


def _check(key: str, url: str) -> None:
    try:
        origin.parse(url, allow_plain=True)
    except ValueError as error:
        raise SettingsError(f"fcm.{key}: {error}") from None
