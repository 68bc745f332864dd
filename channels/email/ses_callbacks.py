"""Calls of Amazon SES, by way of an SNS topic: what became of mails, and the topic's own question whether we listen."""

from starlette.requests import Request

from channels.email import codes, ses_events
from channels.email.api import document, word
from channels.email.receiving import Receiving
from channels.email.sns import CONFIRMATION, Sns
from tocsin.clock import Clock


class SesCallbacks:
    """Takes the calls. The handler returns whether it believes what came."""

    def __init__(self, sns: Sns, receiving: Receiving, *, clock: Clock) -> None:
        self._sns = sns
        self._receiving = receiving
        self._clock = clock
        self._table = codes.load()

    async def take(self, _request: Request, raw: bytes) -> bool:
        """Take a message of the topic. May raise LogError, and ProblemError 503: then it is to come again."""
        message = await self._sns.believed(raw)
        if message is None:
            return False
        if word(message.get("Type")) == CONFIRMATION:
            return await self._sns.confirm(message)
        event = document(word(message.get("Message")).encode("utf-8", "replace"))
        found = ses_events.finding(event, self._table, now=self._clock.now())
        await self._receiving.take(found, way=ses_events.PROVIDER)
        return True
