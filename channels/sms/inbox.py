"""Where callbacks end: receipts become audit events, and a STOP or START changes what may be sent to a number."""

from collections.abc import Callable
from datetime import datetime, timedelta

from channels.sms import phone, receipts
from channels.sms.codes import Table
from channels.sms.firsts import FirstCallbacks
from channels.sms.keywords import Wish
from channels.sms.receipts import CHANNEL, Told
from channels.sms.reference import Reference
from tocsin.clock import Clock
from tocsin.delivery import TENANT
from tocsin.envelope import audit_record
from tocsin.eventlog.port import Publisher
from tocsin.lifecycle import AuditEvent
from tocsin.observe.metrics import Metrics
from tocsin.receipts import Verdict, verdict
from tocsin.store.suppressions import Suppressions
from tocsin.store.suppressions import Told as AddressTold
from tocsin.validation import Fault

# Between a provider's clock and ours. Providers tell whole seconds.
_CLOCKS_DIFFER = timedelta(seconds=5)


def _nobody(_verdict: Verdict) -> None:
    pass


class Inbox:
    """Takes what providers tell. Every method returns when it is durable; may raise LogError and StoreUnavailable.

    `on_verdict` is told what a receipt says of its provider, once it is durable.
    """

    def __init__(
        self,
        *,
        publisher: Publisher,
        suppressions: Suppressions,
        firsts: FirstCallbacks,
        metrics: Metrics,
        clock: Clock,
        on_verdict: Callable[[Verdict], None] = _nobody,
    ) -> None:
        self._publisher = publisher
        self._suppressions = suppressions
        self._firsts = firsts
        self._metrics = metrics
        self._clock = clock
        self._on_verdict = on_verdict

    async def receipt(self, told: Told, reference: Reference, table: Table) -> None:
        """Write a receipt down. A code of a failure that the table does not know is counted."""
        if told.ending == "failed" and told.code not in table.receipts:
            self._metrics.unmapped_codes(CHANNEL, told.provider).inc()
        event = receipts.of_text(told, reference, table, now=self._clock.now())
        await self._write(event)
        if (found := verdict(event)) is not None:
            self._on_verdict(found)

    async def text(
        self, wish: Wish | None, *, provider: str, provider_id: str, number: str, written_at: datetime | None = None
    ) -> None:
        """Do what somebody asks for who wrote back: STOP suppresses the number, START takes that back.

        HELP is answered by the provider, if at all; other texts are none of our business. `written_at` is the text's
        own time, where the provider tells it; else it is the time at which it came first. A START takes back what was
        there by then, so one that comes again does nothing to a STOP that came after it.
        """
        found = phone.parse(number)
        if isinstance(found, Fault):
            return
        if wish == "stop":
            await self._write(receipts.opted_out(provider, provider_id, found, now=self._clock.now()))
        elif wish == "start":
            first = await self._firsts.of(provider, provider_id)
            until = first if written_at is None else min(first, written_at + _CLOCKS_DIFFER)
            await self._start(provider, provider_id, found, until=until)

    async def _start(self, provider: str, provider_id: str, number: str, *, until: datetime) -> None:
        now = self._clock.now()
        told = AddressTold(tenant=TENANT, channel=CHANNEL, address=number, reason="opt_out", source=provider, at=until)
        if await self._suppressions.lift_of(told):
            await self._write(receipts.opted_in(provider, provider_id, number, now=now))

    async def _write(self, event: AuditEvent) -> None:
        await self._publisher.write([audit_record(event)])
