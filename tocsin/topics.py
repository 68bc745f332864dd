"""Every topic and every consumer group by name. Nothing else in Tocsin spells one."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from tocsin.delivery import Lane
from tocsin.tiers import TIERS, Tier

PREFIX = "notifications"
AUDIT = f"{PREFIX}.audit"
# Where clients of the log submit, and where what they wrote goes if it cannot be submitted. No channel has this name.
REQUESTS = f"{PREFIX}.requests"
REQUESTS_DLQ = f"{REQUESTS}.dlq"

Kind = Literal["delivery", "retry", "dlq", "audit", "event"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicSpec:
    """A topic that must be there. How long records are kept depends on its kind, by settings.

    One of the kind `event` is somebody else's: that it is there is all that is asked of it.
    """

    name: str
    kind: Kind


def delivery(channel: str, lane: Lane) -> str:
    """Return the topic of a channel's fresh deliveries: lane `normal` has no suffix."""
    base = f"{PREFIX}.{channel}"
    return base if lane is Lane.NORMAL else f"{base}.{lane}"


def retry(channel: str, lane: Lane, tier: Tier) -> str:
    """Return the topic in which a channel's deliveries wait for one tier."""
    return f"{delivery(channel, lane)}.retry.{tier.name}"


def retries(channel: str, lane: Lane) -> list[str]:
    """Return a lane's retry topics, the shortest tier first."""
    return [retry(channel, lane, tier) for tier in TIERS]


def dlq(channel: str) -> str:
    """Return the topic of a channel's dead letters."""
    return f"{PREFIX}.{channel}.dlq"


def tier_of(topic: str) -> Tier | None:
    """Return the tier of a retry topic, None for any other topic."""
    head, _, name = topic.rpartition(".")
    if not head.endswith(".retry"):
        return None
    return next((tier for tier in TIERS if tier.name == name), None)


def worker_group(channel: str, lane: Lane, *, retrying: bool) -> str:
    """Return the group of a channel's workers for one lane: fresh and retried traffic commit apart."""
    return f"tocsin.channels.{channel}.{lane}" + (".retry" if retrying else "")


def sink_group(service: str, purpose: str) -> str:
    """Return the group of a SQL sink, such as `tocsin.audit.ingest`."""
    return f"tocsin.{service}.{purpose}"


def intake_group() -> str:
    """Return the group of the producers that take requests in."""
    return "tocsin.producer.requests"


def rules_group() -> str:
    """Return the group of the producers that read events for rules."""
    return "tocsin.producer.rules"


def hearing_group() -> str:
    """Return the group in which the processes that send hear of receipts. Nothing waits for it: its lag is no harm."""
    return "tocsin.channels.receipts"


def groups(channels: Iterable[str]) -> list[str]:
    """Return every consumer group of an installation with these channels whose lag matters."""
    workers = [
        worker_group(channel, lane, retrying=retrying)
        for channel in channels
        for lane in Lane
        for retrying in (False, True)
    ]
    sinks = [sink_group("audit", "ingest"), sink_group("dlq", "ingest"), sink_group("dlq", "followup")]
    return [intake_group(), rules_group(), *workers, *sinks, sink_group("producer", "suppressing")]


def of_requests() -> Iterator[TopicSpec]:
    """Return every topic that requests need: they are kept as deliveries and their dead letters are."""
    yield TopicSpec(name=REQUESTS, kind="delivery")
    yield TopicSpec(name=REQUESTS_DLQ, kind="dlq")


def of_events(names: Iterable[str]) -> list[TopicSpec]:
    """Return the topics of these names that have business events on them."""
    return [TopicSpec(name=name, kind="event") for name in names]


def of_channel(channel: str) -> Iterator[TopicSpec]:
    """Return every topic that a channel needs."""
    for lane in Lane:
        yield TopicSpec(name=delivery(channel, lane), kind="delivery")
        for topic in retries(channel, lane):
            yield TopicSpec(name=topic, kind="retry")
    yield TopicSpec(name=dlq(channel), kind="dlq")


def of_channels(channels: Iterable[str]) -> list[TopicSpec]:
    """Return every topic of an installation with these channels."""
    specs = [spec for channel in channels for spec in of_channel(channel)]
    return [*specs, *of_requests(), TopicSpec(name=AUDIT, kind="audit")]
