"""What flows of mail share: a mail that is sent, and what is told of it later."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.gateways import Gateway
from tocsin.lifecycle import State

CONTENT = {"email": {"subject": "Hello", "text": "Hello"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class MailStage:
    """A gateway that is told what became of its mails."""

    gateway: Gateway

    async def sent(self, address: str) -> dict[str, Any]:
        """Submit a mail; return what is told once it has ended."""
        document = {"recipient": {"email": address}, "channels": ["email"], "content": CONTENT}
        answer = await self.gateway.submit(document)
        return await self.gateway.ended(answer["id"])

    async def until_told(self, notification_id: str, event: str) -> Mapping[str, Any]:
        """Return the data of an event of the notification's timeline, once it is there."""
        path = f"/v1/notifications/{notification_id}"
        told = await self.gateway.until(path, lambda found: event in {each["type"] for each in events(found)})
        data: Mapping[str, Any] = next(each["data"] for each in events(told) if each["type"] == event)
        return data

    async def until_suppressed(self, address: str) -> None:
        """Send until one is held back: workers look for what has changed about once a second."""
        async with asyncio.timeout(20):
            while (await self.sent(address))["state"] != State.SUPPRESSED:
                pass


def events(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the events of every life of a notification's deliveries."""
    return [event for delivery in told["deliveries"] for life in delivery["lives"] for event in life["events"]]
