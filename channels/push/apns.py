"""The provider: the Apple Push Notification service over HTTP/2 connections of our own, one request a push."""

import asyncio
import re
import ssl
from collections.abc import Callable

from channels.provider import Capabilities, Claim
from channels.push import apns_answer, apns_codes, apns_request, apns_token
from channels.push.apns_settings import ApnsSettings
from channels.push.apns_token import ProviderTokens
from channels.push.h2_connection import ConnectionPolicy
from channels.push.h2_dial import Http2Dialler, tls_context
from channels.push.h2_pool import Http2Pool
from channels.push.message import Push
from tocsin.clock import Clock
from tocsin.errors import SettingsError
from tocsin.net import origin
from tocsin.net.backoff import Backoff, BackoffPolicy
from tocsin.net.http import Answer, NotSent, Request, Unanswered
from tocsin.net.origin import Origin
from tocsin.outcome import Deferred, Delivered, Misconfigured, Outcome, Rejected, Unconfirmed
from tocsin.settings import secrets

NAME = "apns"

_TOKEN = re.compile(r"[0-9a-f]{2,400}")
_OK = 200
_EXPIRED = (403, "ExpiredProviderToken")
_TOO_MANY = (429, "TooManyProviderTokenUpdates")


class ApnsProvider:
    """Implements `channels.provider.Provider` for messages of type `Push`.

    Reads the key and the certificates once. Raises SettingsError if they cannot be used, or one of the ids is missing.
    `on_unmapped` gets each code that the table of codes does not know. `monotonic` returns seconds.
    """

    name = NAME

    def __init__(
        self,
        settings: ApnsSettings,
        *,
        clock: Clock,
        monotonic: Callable[[], float],
        on_unmapped: Callable[[str], None],
    ) -> None:
        self._topic = _given("topic", settings.topic)
        self._tokens = ProviderTokens(_signing_key(settings), clock)
        self._now = clock.now
        self._url = settings.url
        self._timeout = settings.timeout_seconds
        self._table = apns_codes.load()
        self._on_unmapped = on_unmapped
        self._pool = _pool(settings, monotonic)
        self.capabilities = settings.applied_to(Capabilities(max_in_flight=settings.connections * settings.in_flight))

    async def send(self, message: Push, *, key: str, deadline: float, claim: Claim) -> Outcome:  # noqa: ARG002
        """Send one push, as the port demands. `key` is of no use: APNs has no idempotency, only the collapse id.

        A provider token that has expired was refused before the push was looked at (403): it is sent once more, with
        a new token and under the same claim.
        """
        body = apns_request.body(message)
        if len(body) > apns_request.MOST_BYTES:
            detail = f"the push has {len(body)} bytes; APNs takes at most {apns_request.MOST_BYTES}"
            return Rejected(reason="too_large", scope="message", message=detail)
        if not _TOKEN.fullmatch(message.token):
            return Rejected(reason="bad_device_token", scope="address", message="the device token is not hexadecimal")
        token = self._tokens.current()
        answer = await self._call(message, body, token, deadline, claim)
        if isinstance(answer, Answer) and _says(answer, _EXPIRED) and (another := self._tokens.expired(token)):
            token = another
            answer = await self._call(message, body, token, deadline, None)
        return self._read(answer, message, token) if isinstance(answer, Answer) else answer

    async def aclose(self) -> None:
        """Close the connections."""
        await self._pool.aclose()

    async def _call(
        self, message: Push, body: bytes, token: str, deadline: float, claim: Claim | None
    ) -> Answer | Outcome:
        request = Request(
            method="POST",
            url=self._url + apns_request.path(message),
            headers=apns_request.headers(message, topic=self._topic, provider_token=token),
            body=body,
        )
        limit = min(deadline, asyncio.get_running_loop().time() + self._timeout)
        try:
            return await self._pool.send(request, deadline=limit, claim=claim)
        except NotSent as error:
            if error.ours:
                return Misconfigured(detail=error.detail, code=error.cause, message=error.detail)
            return Deferred(cause=error.cause)
        except Unanswered as error:
            return Unconfirmed(phase=error.phase)

    def _read(self, answer: Answer, message: Push, token: str) -> Outcome:
        if answer.status == _OK:
            return Delivered(provider_id=apns_answer.push_id(answer), code="200")
        if _says(answer, _TOO_MANY):
            self._tokens.too_many(token)
        said = apns_answer.complaint(answer, self._now())
        reading = self._table.classify(said, known_at=message.accepted_at)
        if not reading.mapped:
            self._on_unmapped(said.code)
        return reading.outcome


def _says(answer: Answer, complaint: tuple[int, str]) -> bool:
    status, reason = complaint
    return answer.status == status and apns_answer.reason(answer) == reason


def _signing_key(settings: ApnsSettings) -> apns_token.SigningKey:
    text = secrets.secret(settings.key, settings.key_file, key="apns.key")
    if text is None:
        raise SettingsError("apns.key_file: is required to send through APNs")
    key_id = _given("key_id", secrets.secret(settings.key_id, settings.key_id_file, key="apns.key_id"))
    team_id = _given("team_id", settings.team_id)
    return apns_token.parse(text, key_id=key_id, team_id=team_id)


def _given(key: str, value: str | None) -> str:
    if not value:
        raise SettingsError(f"apns.{key}: is required to send through APNs")
    if not value.isascii() or not value.isprintable() or " " in value:
        raise SettingsError(f"apns.{key}: must be of printable ASCII characters without a space")
    return value


def _pool(settings: ApnsSettings, monotonic: Callable[[], float]) -> Http2Pool:
    where = _origin(settings)
    dialler = Http2Dialler(
        origin=where,
        context=_tls_context(settings),
        policy=ConnectionPolicy(
            streams=settings.in_flight,
            ping_after=settings.ping_after_seconds,
            ping_timeout=settings.ping_timeout_seconds,
        ),
        timeout=settings.connect_timeout_seconds,
    )
    patience = BackoffPolicy(first=settings.backoff_seconds, longest=settings.backoff_max_seconds)
    backoff = Backoff[NotSent](patience, monotonic)
    return Http2Pool(origin=where, connections=settings.connections, dial=dialler.dial, backoff=backoff)


def _origin(settings: ApnsSettings) -> Origin:
    try:
        where, path = origin.parse(settings.url)
    except ValueError as error:
        raise SettingsError(f"apns.base_url: {error}") from None
    if path != "/" or settings.url != f"https://{where.authority}":
        raise SettingsError("apns.base_url: must be https://host or https://host:port, and nothing more")
    return where


def _tls_context(settings: ApnsSettings) -> ssl.SSLContext:
    if settings.ca and settings.ca_file:
        raise SettingsError("apns.ca: is given both as a value and as apns.ca_file; keep one of them")
    try:
        return tls_context(ca_file=settings.ca_file, ca=settings.ca)
    except (ssl.SSLError, TypeError):  # TypeError: outside ASCII
        raise SettingsError("apns.ca_file: is no PEM file of certificates") from None
    except OSError as error:
        raise SettingsError(f"apns.ca_file: {settings.ca_file} cannot be read: {error.strerror}") from error
