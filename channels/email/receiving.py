"""Where what was told of mails ends: a receipt becomes an audit event. What is not understood is counted."""

from collections.abc import Callable

from loguru import logger

from channels.email.receipts import Finding, Result
from channels.email.reference import CHANNEL
from tocsin.envelope import audit_record
from tocsin.eventlog.port import Publisher
from tocsin.lifecycle import AuditEvent
from tocsin.observe.metrics import Metrics
from tocsin.receipts import Verdict, verdict

# How many receipts are known to be written.
_MOST_KNOWN = 4096


def _nobody(_verdict: Verdict) -> None:
    pass


class Receiving:
    """Writes receipts down. `on_verdict` is told what one says of its provider, once it is durable.

    Whoever got a mail has its return path, and can tell the same of it as often as he likes: it is written once.
    """

    def __init__(
        self, *, publisher: Publisher, metrics: Metrics, on_verdict: Callable[[Verdict], None] = _nobody
    ) -> None:
        self._publisher = publisher
        self._metrics = metrics
        self._on_verdict = on_verdict
        # The ids of events that were written lately, and whether they name an address; the oldest first.
        self._known: dict[tuple[str, bool], None] = {}

    async def take(self, found: Finding, *, way: str) -> Result:
        """Take what came of something; return its word, once it is durable. May raise LogError: it is to come again.

        `way` says how it came, for the log.
        """
        if found.event is not None:
            await self._write(found.event, mapped=found.mapped)
        self._metrics.bounces(found.result).inc()
        if found.result == "unmatched":
            logger.info("bounce_unmatched", way=way)
        return found.result

    async def _write(self, event: AuditEvent, *, mapped: bool) -> None:
        told = (event.id, "address" in event.data)
        if told in self._known:
            return
        await self._publisher.write([audit_record(event)])
        self._known[told] = None
        if len(self._known) > _MOST_KNOWN:
            del self._known[next(iter(self._known))]
        if not mapped:
            self._metrics.unmapped_codes(CHANNEL, event.data["provider"]).inc()
        if (judged := verdict(event)) is not None:
            self._on_verdict(judged)
