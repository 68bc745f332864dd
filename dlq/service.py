"""The dead-letter service: from the dead-letter topics into SQL, to the people who decide, and back into the log."""

from collections.abc import Callable
from datetime import timedelta

from dlq import items
from dlq.api import Api
from dlq.decisions import Decisions
from dlq.followup import FollowupSink
from dlq.ingest import DeadLetterSink
from dlq.resume import Resume
from tocsin import deadletter, topics
from tocsin.consume.ingest import Ingest, Sink
from tocsin.runtime.service import Context, Part, Service
from tocsin.settings import sections
from tocsin.web.health import Check

_NAME = "dlq"
# Dead letters are few; of the audit, of which there is much, only the ends of replays are wanted.
_GATHER_LETTERS = timedelta()
_GATHER_ENDINGS = timedelta(milliseconds=500)


def _build(context: Context) -> Part:
    channels = {topics.dlq(channel): channel for channel in context.channels}
    channels[topics.REQUESTS_DLQ] = deadletter.REQUESTS
    letters = DeadLetterSink(channels=channels, clock=context.clock)
    ingest = _loop(context, "ingest", list(channels), letters, gather=_GATHER_LETTERS)
    followup = _loop(context, "followup", [topics.AUDIT], FollowupSink(), gather=_GATHER_ENDINGS)
    log = context.settings.section("eventlog", sections.EventLog)
    decisions = Decisions(
        store=context.store,
        ledger=context.ledger,
        publisher=context.publisher,
        clock=context.clock,
        timeout=timedelta(seconds=log.publish_timeout_seconds),
    )
    api = Api(
        store=context.store,
        decisions=decisions,
        publisher=context.publisher,
        clock=context.clock,
        randbytes=context.randbytes,
    )
    return Part(
        router=api.router,
        loops=(Resume(store=context.store, decisions=decisions, clock=context.clock), ingest, followup),
        checks={loop.name: _check(loop) for loop in (ingest, followup)},
    )


def _loop(context: Context, purpose: str, names: list[str], sink: Sink, *, gather: timedelta) -> Ingest:
    return Ingest(
        name=f"{_NAME}.{purpose}",
        topics=names,
        group=topics.sink_group(_NAME, purpose),
        log=context.log,
        store=context.store,
        sink=sink,
        metrics=context.metrics,
        clock=context.clock,
        gather=gather,
    )


def _check(loop: Ingest) -> Callable[[], Check]:
    return lambda: Check(ok=loop.healthy, detail=loop.detail)


service = Service(name=_NAME, settings={}, build=_build, tables=items.metadata)
