"""What a simulated provider took: the mail or the text, as whoever got it sees it.

The audit says which provider took a delivery, and under which name; the simulators list what they took. They keep that
in memory and count anew after a restart, so a message of another time is another message.
"""

from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

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
            return _mail(await self._got(f"{_MAIL}/messages/{delivery.provider_id}"), at=delivery.at)
        if delivery.provider in _TEXT:
            found = await self._got(f"{delivery.provider}/messages?limit={_NEWEST}")
            return _text(found, delivery)
        return None

    async def _got(self, path: str) -> dict[str, Any]:
        """Return the answer to a GET, empty if there is nothing."""
        try:
            async with httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, trust_env=False) as client:
                answer = await client.get(f"{self._url}/{path}")
                if answer.status_code == httpx.codes.NOT_FOUND:
                    return {}
                document: dict[str, Any] = answer.raise_for_status().json()
                return document
        except (httpx.HTTPError, ValueError) as error:
            raise SimulatorsUnavailable(type(error).__name__) from error


def _mail(found: dict[str, Any], *, at: datetime) -> Message | None:
    if not found or not _same(found["at"], at):
        return None
    mail = message_from_bytes(found["source"].encode(), policy=policy.default)
    return Message(
        channel="email",
        at=found["at"],
        to=", ".join(found["recipients"]),
        subject=found["subject"],
        text=found["text"],
        html=_html(mail),
    )


def _html(mail: EmailMessage) -> str | None:
    body = mail.get_body(("html",))
    return None if body is None else str(body.get_content())


def _text(found: dict[str, Any], delivery: Delivery) -> Message | None:
    for text in found.get("messages", ()):
        if text["provider_id"] == delivery.provider_id and _same(text["at"], delivery.at):
            return Message(channel="sms", at=text["at"], to=text["recipient"], text=text["text"])
    return None


def _same(text: str, at: datetime) -> bool:
    found = from_rfc3339(text)
    return found is not None and abs(found - at) <= _SAME
