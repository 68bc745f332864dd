"""Where callbacks end: receipts become audit events, and a STOP or START changes what may be sent to a number."""

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


class Inbox:
    """Takes what providers tell. Every method returns when it is durable; may raise LogError and StoreUnavailable."""

    def __init__(self, *, publisher: Publisher, suppressions: Suppressions, metrics: Metrics, clock: Clock) -> None:
        self._publisher = publisher
        self._suppressions = suppressions
        self._metrics = metrics
        self._clock = clock

    async def receipt(self, told: Told, reference: Reference, table: Table) -> None:
        """Write a receipt down. A code of a failure that the table does not know is counted."""
        if told.ending == "failed" and told.code not in table.receipts:
            self._metrics.unmapped_codes(CHANNEL, told.provider).inc()
        await self._write(receipts.of_text(told, reference, table, now=self._clock.now()))

    async def text(self, wish: Wish | None, *, provider: str, provider_id: str, number: str) -> None:
        """Do what somebody asks for who wrote back: STOP suppresses the number, START takes that back.

        HELP is answered by the provider, if at all; other texts are none of our business.
        """
        found = phone.parse(number)
        if isinstance(found, Fault):
            return
        if wish == "stop":
            await self._write(receipts.opted_out(provider, provider_id, found, now=self._clock.now()))
        elif wish == "start" and await self._suppressions.reason(TENANT, CHANNEL, found) == "opt_out":
            await self._suppressions.lift(identity(TENANT, CHANNEL, found), tenant=TENANT)
            await self._write(receipts.opted_in(provider, provider_id, found, now=self._clock.now()))

    async def _write(self, event: AuditEvent) -> None:
        await self._publisher.write([audit_record(event)])
