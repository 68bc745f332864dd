"""Where callbacks end: receipts become audit events, and a STOP or START changes what may be sent to a number."""

from datetime import datetime, timedelta

from channels.sms import phone, receipts
from channels.sms.codes import Table
from channels.sms.keywords import Wish
from channels.sms.receipts import CHANNEL, Told
from channels.sms.reference import Reference
from tocsin.clock import Clock
from tocsin.delivery import TENANT
from tocsin.envelope import audit_record
from tocsin.eventlog.port import Publisher
from tocsin.lifecycle import AuditEvent
from tocsin.observe.metrics import Metrics
from tocsin.store.suppressions import Suppressions, identity
from tocsin.validation import Fault

_MOST_STARTS = 10_000
# Between a provider's clock and ours. Providers tell whole seconds.
_CLOCKS_DIFFER = timedelta(seconds=5)


class Inbox:
    """Takes what providers tell. Every method returns when it is durable; may raise LogError and StoreUnavailable."""

    def __init__(self, *, publisher: Publisher, suppressions: Suppressions, metrics: Metrics, clock: Clock) -> None:
        self._publisher = publisher
        self._suppressions = suppressions
        self._metrics = metrics
        self._clock = clock
        self._starts: dict[tuple[str, str], None] = {}

    async def receipt(self, told: Told, reference: Reference, table: Table) -> None:
        """Write a receipt down. A code of a failure that the table does not know is counted."""
        if told.ending == "failed" and told.code not in table.receipts:
            self._metrics.unmapped_codes(CHANNEL, told.provider).inc()
        await self._write(receipts.of_text(told, reference, table, now=self._clock.now()))

    async def text(
        self, wish: Wish | None, *, provider: str, provider_id: str, number: str, written_at: datetime | None = None
    ) -> None:
        """Do what somebody asks for who wrote back: STOP suppresses the number, START takes that back.

        HELP is answered by the provider, if at all; other texts are none of our business. `written_at` is the text's
        own time, where the provider tells it. A START that comes again does nothing to a STOP that came after it;
        without `written_at` that holds if this process took it both times.
        """
        found = phone.parse(number)
        if isinstance(found, Fault):
            return
        if wish == "stop":
            await self._write(receipts.opted_out(provider, provider_id, found, now=self._clock.now()))
        elif wish == "start" and (provider, provider_id) not in self._starts:
            await self._start(provider, provider_id, found, written_at)
            # Only now: one that failed on its way comes again, and is to be done.
            self._remember((provider, provider_id))

    async def _start(self, provider: str, provider_id: str, number: str, written_at: datetime | None) -> None:
        now = self._clock.now()
        until = now if written_at is None else min(now, written_at + _CLOCKS_DIFFER)
        row = identity(TENANT, CHANNEL, number)
        if await self._suppressions.lift_of(row, tenant=TENANT, reason="opt_out", added_until=until):
            await self._write(receipts.opted_in(provider, provider_id, number, now=now))

    def _remember(self, start: tuple[str, str]) -> None:
        if len(self._starts) >= _MOST_STARTS:
            del self._starts[next(iter(self._starts))]
        self._starts[start] = None

    async def _write(self, event: AuditEvent) -> None:
        await self._publisher.write([audit_record(event)])
