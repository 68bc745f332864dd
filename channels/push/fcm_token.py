"""The access token that calls to FCM carry: had from Google's token endpoint (RFC 7523), kept, and renewed in time."""

import asyncio
from dataclasses import dataclass, field
from urllib.parse import urlencode

import msgspec

from channels.push import fcm_answer
from channels.push.fcm_account import Account
from tocsin.clock import Clock
from tocsin.net.http import Answer, HttpClient, NotSent, Request, Unanswered
from tocsin.outcome import Deferred, Misconfigured, Outcome

_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_FORM = {"content-type": "application/x-www-form-urlencoded"}
_OK = 200
_TOO_MANY_REQUESTS = 429
_CLIENT_ERRORS = range(400, 500)
# Renewed so long before its end, or after half of its life if that is short.
_EARLY_SECONDS = 300.0
# A token endpoint that failed is not asked again for so long; all that wait get the same answer.
_PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token. Times are those of `Clock.monotonic`."""

    text: str = field(repr=False)
    renew_at: float
    ends_at: float


class _Granted(msgspec.Struct, frozen=True, kw_only=True):
    """What of the endpoint's answer matters (RFC 6749, section 5.1)."""

    access_token: str
    expires_in: float


class Tokens:
    """The token of one service account. `url` is the endpoint's."""

    def __init__(self, account: Account, *, url: str, client: HttpClient, clock: Clock) -> None:
        self._account = account
        self._url = url
        self._client = client
        self._clock = clock
        self._token: Token | None = None
        self._failure: Outcome | None = None
        self._failed_until = 0.0
        self._renewing = asyncio.Lock()

    async def get(self, deadline: float) -> str | Outcome:
        """Return a token, or why none can be had: Misconfigured if the account is refused, else Deferred.

        However many ask at a time, the endpoint is asked once; who asks while a token that is still good is renewed
        gets that one. `deadline` is a time of `loop.time()`.
        """
        token, now = self._token, self._clock.monotonic()
        if token is not None and now < token.renew_at:
            return token.text
        spared = self._renewing.locked() or now < self._failed_until
        if token is not None and now < token.ends_at and spared:
            return token.text
        try:
            async with asyncio.timeout_at(deadline):
                await self._renewing.acquire()
        except TimeoutError:
            return Deferred(cause="deadline", message="no access token could be had in time")
        try:
            return await self._renewed(deadline)
        finally:
            self._renewing.release()

    def refused(self, text: str) -> None:
        """Forget a token that FCM has refused; of a newer one this says nothing."""
        if self._token is not None and self._token.text == text:
            self._token = None

    async def _renewed(self, deadline: float) -> str | Outcome:
        """Return a new token, unless who renewed it just now has one, or found that there is none."""
        token, now = self._token, self._clock.monotonic()
        if token is not None and now < token.renew_at:
            return token.text
        if self._failure is None or now >= self._failed_until:
            found = await self._granted(deadline)
            if isinstance(found, Token):
                self._token, self._failure = found, None
                return found.text
            self._failure, self._failed_until = found, self._clock.monotonic() + _PAUSE_SECONDS
        return token.text if token is not None and now < token.ends_at else self._failure

    async def _granted(self, deadline: float) -> Token | Outcome:
        assertion = self._account.assertion(self._clock.now())
        body = urlencode({"grant_type": _GRANT, "assertion": assertion}).encode()
        started = self._clock.monotonic()
        try:
            answer = await self._client.send(
                Request(method="POST", url=self._url, headers=_FORM, body=body), deadline=deadline
            )
        except NotSent as error:
            if error.ours:
                return Misconfigured(detail=f"the token endpoint: {error.cause}", code=error.cause)
            return Deferred(cause=error.cause, message="the token endpoint could not be reached")
        except Unanswered:
            # No byte of the message has left, whatever became of this.
            return Deferred(cause="token_unanswered", message="the token endpoint did not answer")
        return _token(answer, started) or _refusal(answer)


def _token(answer: Answer, started: float) -> Token | None:
    if answer.status != _OK:
        return None
    try:
        granted = msgspec.json.decode(answer.body, type=_Granted)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    early = min(_EARLY_SECONDS, granted.expires_in / 2)
    ends_at = started + granted.expires_in
    return Token(text=granted.access_token, renew_at=ends_at - early, ends_at=ends_at)


def _refusal(answer: Answer) -> Outcome:
    """Return what it means that there is no token: the account is refused for good, or the endpoint is in trouble."""
    error, text = fcm_answer.token_complaint(answer.body)
    code = f"{answer.status} {error}".rstrip()
    if answer.status in _CLIENT_ERRORS and answer.status != _TOO_MANY_REQUESTS:
        detail = "the service account is refused"
        return Misconfigured(detail=detail, code=code, message=f"{detail}: {text}"[:512] if text else detail)
    return Deferred(cause="token_refused", code=code, message=text)
