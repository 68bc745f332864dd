"""What a person has read, as the receipts that refine `delivered`."""

from collections.abc import Sequence
from datetime import datetime

from channels.browser.inbox import Inboxes
from channels.browser.inbox_message import InboxMessage, Owner
from channels.browser.inbox_provider import NAME
from tocsin import receipts
from tocsin.clock import Clock
from tocsin.envelope import audit_record
from tocsin.eventlog.port import Publisher
from tocsin.lifecycle import AuditEvent, Event

_CHANNEL = "browser"


class ReadReceipts:
    """Notes what was read, and tells the audit. May raise StoreUnavailable and LogError: to be repeated."""

    def __init__(self, inboxes: Inboxes, *, publisher: Publisher, clock: Clock) -> None:
        self._inboxes = inboxes
        self._publisher = publisher
        self._clock = clock

    async def acknowledge(self, owner: Owner, numbers: Sequence[int]) -> None:
        """Note that these messages were read. What was read before, or is not there any more, changes nothing.

        The audit is told first: should the note then fail, the page repeats it, and the same receipt counts once.
        """
        found = await self._inboxes.unread(owner, numbers)
        if not found:
            return
        now = self._clock.now()
        await self._publisher.write([audit_record(_read(owner, message, now)) for message in found])
        await self._inboxes.mark_read(owner, [message.number for message in found], at=now)


def _read(owner: Owner, message: InboxMessage, now: datetime) -> AuditEvent:
    provider_id = f"{message.delivery_id}:{message.life}"
    return receipts.receipt(
        Event.RECEIPT_READ,
        delivery_id=message.delivery_id,
        notification_id=message.notification_id,
        tenant=owner.tenant,
        life=message.life,
        provider_id=provider_id,
        time=now,
        data={"channel": _CHANNEL, "provider": NAME, "provider_id": provider_id, "code": "read", "message": ""},
    )
