"""The event log on Kafka: the port over producers, one consumer a subscription, and clients that ask."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from itertools import count

from loguru import logger

from tocsin.clock import Clock
from tocsin.errors import LogError, TopicMismatch
from tocsin.eventlog.kafka import lookup
from tocsin.eventlog.kafka import topics as topic_settings
from tocsin.eventlog.kafka.clients import Clients, KafkaClients
from tocsin.eventlog.kafka.condition import Condition
from tocsin.eventlog.kafka.layout import Layout
from tocsin.eventlog.kafka.lookup import Lookup
from tocsin.eventlog.kafka.producing import KafkaPublisher, Producing
from tocsin.eventlog.kafka.subscription import KafkaSubscription, Patience
from tocsin.eventlog.port import Health, OnAssigned, OnRevoked
from tocsin.observe.metrics import Metrics
from tocsin.record import Partition
from tocsin.settings.sections import Kafka
from tocsin.topics import TopicSpec

_HOUSEKEEPING = timedelta(seconds=15)
# A join waits for the slowest member to drain; then the coordinator has to be found and answered.
_JOIN_MARGIN = 30.0


class KafkaLog:
    """Fulfils `eventlog.port.EventLog`."""

    def __init__(
        self,
        settings: Kafka,
        *,
        identity: str,
        clients: Clients,
        lookup: Lookup,
        layout: Layout,
        shared: Producing,
        another: Callable[[], Producing],
        clock: Clock,
        condition: Condition,
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._identity = identity
        self._clients = clients
        self._lookup = lookup
        self._layout = layout
        self._shared = shared
        self._another = another
        self._clock = clock
        self._condition = condition
        self._metrics = metrics
        self._subscriptions: set[KafkaSubscription] = set()

    @property
    def identity(self) -> str:
        """The cluster's id."""
        return self._identity

    async def ensure_topics(self, specs: Sequence[TopicSpec]) -> None:
        """Check the topics. They are made by `tocsin topics apply`, never by a service. Raises TopicMismatch."""
        seconds = self._settings.lookup_timeout_seconds
        async with topic_settings.opened(self._clients, self._layout, seconds=seconds) as there:
            await there.ensure(specs)

    @asynccontextmanager
    async def publisher(self, *, apart: bool = False) -> AsyncIterator[KafkaPublisher]:
        """See the port. Raises LogUnavailable."""
        if not apart:
            yield KafkaPublisher(self._shared)
            return
        own = self._another()
        try:
            await own.open()
            yield KafkaPublisher(own)
        finally:
            await own.close()

    @asynccontextmanager
    async def subscribe(
        self,
        topics: Sequence[str],
        *,
        group: str,
        on_assigned: OnAssigned,
        on_revoked: OnRevoked,
        gather: timedelta = timedelta(),
    ) -> AsyncIterator[KafkaSubscription]:
        """See the port. Raises TopicMismatch, LogUnavailable."""
        known = await self._lookup.topics()
        missing = [topic for topic in topics if topic not in known]
        if missing:
            raise TopicMismatch(f"topics do not exist: {', '.join(missing)}; run `tocsin topics apply`")
        subscription = KafkaSubscription(
            self._clients,
            self._lookup,
            topics,
            group=group,
            on_assigned=on_assigned,
            on_revoked=on_revoked,
            gather=gather,
            patience=_patience(self._settings),
            clock=self._clock,
            condition=self._condition,
            metrics=self._metrics,
        )
        await subscription.open()
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)
            await subscription.close()

    async def group_lag(self, group: str) -> Mapping[Partition, int]:
        """See the port. A partition that the group never committed counts where this process subscribes to its topic.

        Raises LogUnavailable.
        """
        committed, known = await asyncio.gather(self._lookup.committed(group), self._lookup.topics())
        subscribed = {topic for each in self._subscriptions if each.group == group for topic in each.topics}
        mine = {Partition(topic, number) for topic in subscribed for number in range(known.get(topic, 0))}
        # Commits outlive the topics that they are about.
        there = {partition for partition in committed if partition.topic in known}
        return await self._lookup.lag(mine | there, committed)

    async def behind(self, group: str, topic: str, *, before: datetime) -> bool:
        """See the port."""
        places = [Partition(topic, number) for number in range((await self._lookup.topics()).get(topic, 0))]
        committed, border, oldest = await asyncio.gather(
            self._lookup.committed(group, places),
            self._lookup.written_from(places, before),
            self._lookup.beginnings(places),
        )
        return any(max(committed.get(place, 0), oldest[place]) < border[place] for place in places)

    def health(self) -> Health:
        """See the port."""
        return self._condition.health()

    async def keep_house(self) -> None:
        """Keep the gauges, for as long as the log is open."""
        while True:
            await self._clock.sleep(_HOUSEKEEPING)
            for subscription in list(self._subscriptions):
                self._metrics.log_assigned(subscription.group).set(len(subscription.assigned))
                try:
                    # Of our own partitions: the sum over all processes is the group's.
                    self._metrics.log_lag(subscription.group).set(sum((await subscription.lag()).values()))
                except LogError as error:
                    logger.warning("log_housekeeping_failed", group=subscription.group, error=str(error))


@asynccontextmanager
async def open_log(
    settings: Kafka, *, layout: Layout, clock: Clock, metrics: Metrics, clients: Clients | None = None
) -> AsyncIterator[KafkaLog]:
    """Open the log of a cluster. `layout`: what its topics should be. Raises SettingsError, LogUnavailable."""
    clients = clients or KafkaClients(settings)
    async with AsyncExitStack() as stack:
        asking = await stack.enter_async_context(lookup.opened(clients, seconds=settings.lookup_timeout_seconds))
        condition = Condition(metrics)
        numbers = count(1)

        def producing() -> Producing:
            return Producing(
                clients,
                asking,
                number=next(numbers),
                seconds=settings.write_timeout_seconds,
                max_record_bytes=settings.max_record_bytes,
                clock=clock,
                condition=condition,
                metrics=metrics,
            )

        shared = producing()
        stack.push_async_callback(shared.close)
        await shared.open()
        log = KafkaLog(
            settings,
            identity=await asking.identity(),
            clients=clients,
            lookup=asking,
            layout=layout,
            shared=shared,
            another=producing,
            clock=clock,
            condition=condition,
            metrics=metrics,
        )
        house = asyncio.create_task(log.keep_house(), name="tocsin-kafka-house")
        stack.push_async_callback(_ended, house)
        yield log


def _patience(settings: Kafka) -> Patience:
    join = settings.rebalance_seconds + _JOIN_MARGIN
    return Patience(
        join=join,
        commit=settings.commit_timeout_seconds,
        stall=settings.stall_seconds,
        limbo=join + settings.stall_seconds,
    )


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
