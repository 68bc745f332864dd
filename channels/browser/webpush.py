"""The provider: all push services alike, over the one protocol that they share (RFC 8030)."""

from collections.abc import Callable
from datetime import datetime, timedelta

from channels.browser import encryption
from channels.browser import keys as vapid_keys
from channels.browser.answers import Reader
from channels.browser.keys import VapidKey, VapidKeys
from channels.browser.message import WebPush
from channels.browser.vapid import Vapid
from channels.provider import Capabilities, Claim, Provider
from tocsin.net.http import Answer, HttpClient, NotSent, Request, Unanswered
from tocsin.outcome import Deferred, Outcome, Rejected, Unconfirmed

NAME = "webpush"
# The most that Google, Apple and Microsoft keep a message for; Mozilla lowers it by itself.
_MAX_TTL = timedelta(days=28)


class WebPushProvider:
    """Implements `channels.provider.Provider` for messages of type `WebPush`.

    `client` must have the guard against addresses inside: an endpoint is a stranger's text. `now` is the clock's.
    """

    def __init__(
        self,
        *,
        client: HttpClient,
        keys: VapidKeys,
        vapid: Vapid,
        reader: Reader,
        now: Callable[[], datetime],
        capabilities: Capabilities,
    ) -> None:
        self._client = client
        self._keys = keys
        self._vapid = vapid
        self._reader = reader
        self._now = now
        # Web Push has neither idempotency nor receipts that all services give; a topic replaces what still waits.
        self.capabilities = capabilities

    @property
    def name(self) -> str:
        """The route's name."""
        return NAME

    async def send(self, message: WebPush, *, key: str, deadline: float, claim: Claim) -> Outcome:  # noqa: ARG002
        """Encrypt and send one message, as the port demands. `key` is of no use: no push service is idempotent."""
        signer = self._keys.find(message.subscription.key_id)
        if signer is None:
            detail = "the subscription was made with a VAPID key that is not here any more"
            return Rejected(reason="other_vapid_key", scope="address", message=detail)
        try:
            answer = await self._client.send(self._request(message, signer), deadline=deadline, claim=claim)
        except NotSent as error:
            return _not_sent(error)
        except Unanswered as error:
            return Unconfirmed(phase=error.phase, message="the push service did not answer")
        return self._judged(answer, message, signer)

    def succeed(self, before: Provider) -> None:
        """See `Successor`."""
        if isinstance(before, WebPushProvider):
            vapid_keys.succeeding(before._keys, self._keys)  # noqa: SLF001 - of its own kind

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def _request(self, message: WebPush, signer: VapidKey) -> Request:
        left = min(message.expires_at - self._now(), _MAX_TTL)
        return Request(
            method="POST",
            url=message.subscription.endpoint,
            headers={
                "Authorization": self._vapid.header(signer, message.origin),
                "Content-Encoding": encryption.ENCODING,
                "Content-Type": "application/octet-stream",
                "TTL": str(max(0, int(left.total_seconds()))),
                "Topic": message.topic,
                "Urgency": message.urgency,
            },
            body=encryption.encrypt(message.payload, message.subscription),
        )

    def _judged(self, answer: Answer, message: WebPush, signer: VapidKey) -> Outcome:
        outcome = self._reader.outcome(answer, message, signer.id)
        if answer.status in (401, 403):
            # Should it be the token's time that is at fault, the next one has another.
            self._vapid.forget(signer, message.origin)
        return outcome


def _not_sent(error: NotSent) -> Outcome:
    """Return what to do where nothing left us.

    Never Misconfigured, not even for a certificate that cannot be trusted: it is that of one host among many, which
    the settings need not have named, and must not close the route to the others.
    """
    if error.cause == "refused_by_guard":
        detail = "the endpoint's host has an address that is not public"
        return Rejected(reason="endpoint_refused", scope="address", code=error.cause, message=detail)
    return Deferred(cause=error.cause, code=error.cause, message="the push service was not reached")
