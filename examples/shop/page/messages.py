"""What a simulated provider took: the mail or the text, as whoever got it sees it.

The audit says which provider took a delivery, and under which name; the simulators list what they took. They keep that
in memory and count anew after a restart, so a message of another time is another message.
"""

from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import TypeVar

import httpx
import msgspec

from examples.shop.page.feed import Delivery
from tocsin.clock import from_rfc3339

_MAIL = "smtp"
_TEXT = frozenset({"twilio", "vonage"})
# Between the provider's clock and the gateway's lies the way of its answer.
_SAME = timedelta(seconds=60)
_NEWEST = 2000
_TIMEOUT_SECONDS = 5.0

T = TypeVar("T")


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A mail (`html` is None where it has none) or a text (no `subject`, no `html`)."""

    channel: str
    at: str
    to: str
    text: str
    subject: str | None = None
    html: str | None = None

    def __repr__(self) -> str:
        return f"<message by {self.channel}>"


class _Mail(msgspec.Struct, frozen=True, kw_only=True):
    """A mail as its simulator has it. `source` is all of it, as it was sent."""

    at: str
    recipients: tuple[str, ...]
    subject: str
    text: str
    source: str


class _Text(msgspec.Struct, frozen=True, kw_only=True):
    """A text as its simulator has it."""

    provider_id: str
    at: str
    recipient: str
    text: str


class _Texts(msgspec.Struct, frozen=True, kw_only=True):
    """The newest texts that a simulator took."""

    messages: tuple[_Text, ...]


class SimulatorsUnavailable(Exception):
    """The simulators cannot be reached, or answer what they should not."""


class Simulators:
    """Reads what the simulators list at a URL."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    async def message(self, delivery: Delivery) -> Message | None:
        """Return what a provider took, None if it is no simulator, or keeps it no longer.

        Raises SimulatorsUnavailable.
        """
        if delivery.provider == _MAIL and delivery.provider_id.isdecimal():
            mail = await self._got(f"{_MAIL}/messages/{delivery.provider_id}", _Mail)
            return None if mail is None else _mail(mail, delivery)
        if delivery.provider in _TEXT:
            texts = await self._got(f"{delivery.provider}/messages?limit={_NEWEST}", _Texts)
            return None if texts is None else _text(texts, delivery)
        return None

    async def _got(self, path: str, kind: type[T]) -> T | None:
        """Return the answer to a GET, None if there is nothing."""
        try:
            async with httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, trust_env=False) as client:
                answer = await client.get(f"{self._url}/{path}")
                if answer.status_code == httpx.codes.NOT_FOUND:
                    return None
                return msgspec.json.decode(answer.raise_for_status().content, type=kind)
        except (httpx.HTTPError, ValueError) as error:
            raise SimulatorsUnavailable(type(error).__name__) from error


def _mail(mail: _Mail, delivery: Delivery) -> Message | None:
    if not _same(mail.at, delivery.at):
        return None
    return Message(
        channel="email",
        at=mail.at,
        to=", ".join(mail.recipients),
        subject=mail.subject,
        text=mail.text,
        html=_html(message_from_bytes(mail.source.encode(), policy=policy.default)),
    )


def _html(mail: EmailMessage) -> str | None:
    body = mail.get_body(("html",))
    return None if body is None else str(body.get_content())


def _text(texts: _Texts, delivery: Delivery) -> Message | None:
    for text in texts.messages:
        if text.provider_id == delivery.provider_id and _same(text.at, delivery.at):
            return Message(channel="sms", at=text.at, to=text.recipient, text=text.text)
    return None


def _same(text: str, at: datetime) -> bool:
    found = from_rfc3339(text)
    return found is not None and abs(found - at) <= _SAME
