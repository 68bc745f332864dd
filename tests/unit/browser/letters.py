"""Letters for inboxes, and inboxes to put them into."""

from typing import Any

from channels.browser.inbox import Inboxes
from channels.browser.inbox_message import Letter, Owner, Shown

ADA = Owner("default", "ada")
BOB = Owner("default", "bob")


def letter(number: int = 0, *, owner: Owner = ADA, **shown: Any) -> Letter:
    """Return a letter of one delivery; its number tells it from others."""
    members = {"category": "orders", "title": "Your parcel", "body": str(number), **shown}
    return Letter(
        owner=owner,
        notification_id=f"ntf_{number:026}",
        delivery_id=f"dlv_{owner.recipient_id}{number:022}",
        shown=Shown(**members),
    )


async def put(inboxes: Inboxes, *letters: Letter, life: int = 0) -> None:
    """Put letters in, each in a transaction of its own."""
    for each in letters:
        await inboxes.put([(each, life)])


async def bodies(inboxes: Inboxes, owner: Owner = ADA, after: int = 0) -> list[str]:
    """Return the bodies of what lies in an inbox, the oldest first."""
    return [each.shown.body for each in await inboxes.since(owner, after, limit=1000)]
