"""Calls of Resend: what became of mails, signed with the webhook's secret."""

from starlette.requests import Request

from channels.email import codes, resend_events
from channels.email.api import document
from channels.email.receiving import Receiving
from tocsin.clock import Clock


class ResendCallbacks:
    """Takes the calls. The handler returns whether it believes what came. Raises SettingsError for a wrong secret."""

    def __init__(self, secret: str, receiving: Receiving, *, clock: Clock) -> None:
        self._key = resend_events.signing_key(secret)
        self._receiving = receiving
        self._clock = clock
        self._table = codes.load()

    async def take(self, request: Request, raw: bytes) -> bool:
        """Take an event. May raise LogError: then it is to come again."""
        now = self._clock.now()
        if not resend_events.believed(self._key, request.headers, raw, now=now):
            return False
        found = resend_events.finding(document(raw), self._table, now=now)
        await self._receiving.take(found, way=resend_events.PROVIDER)
        return True
