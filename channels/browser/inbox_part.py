"""The inbox where notifications are taken in: its routes, and the loops beside them."""

from datetime import timedelta

from channels.browser.inbox import Inboxes
from channels.browser.inbox_api import InboxApi
from channels.browser.inbox_hub import Caps, Hub
from channels.browser.inbox_key import TicketKey
from channels.browser.inbox_provider import WRITTEN
from channels.browser.inbox_receipts import ReadReceipts
from channels.browser.inbox_retention import InboxRetention
from channels.browser.settings import INBOX, InboxSettings
from tocsin.runtime import wakeups
from tocsin.runtime.service import Context, Part

_SQLITE = "sqlite"


def of(context: Context) -> Part:
    """Return what the inbox adds. Raises SettingsError."""
    settings, clock = context.settings.section(INBOX, InboxSettings), context.clock
    inboxes = Inboxes(store=context.store, clock=clock, most=settings.messages)
    caps = Caps(of_inbox=settings.connections_per_recipient, of_process=settings.connections)
    # A file of SQLite has one process.
    hub = Hub(inboxes, caps=caps, clock=clock, alone=context.store.dialect == _SQLITE)
    context.wakeups.listen(WRITTEN, hub.written)
    context.wakeups.listen(wakeups.DRAINING, hub.close)
    api = InboxApi(
        settings,
        inboxes=inboxes,
        hub=hub,
        key=TicketKey(store=context.store, clock=clock, randbytes=context.randbytes),
        receipts=ReadReceipts(inboxes, publisher=context.publisher, clock=clock),
        clock=clock,
    )
    retention = InboxRetention(inboxes, clock=clock, keep=timedelta(days=settings.keep_days))
    return Part(router=api.router, loops=(hub, retention))
