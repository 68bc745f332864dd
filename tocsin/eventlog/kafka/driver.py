"""What the adapter uses of aiokafka, with types: no other module imports it.

aiokafka ships no types of its own. The protocols are also what the scripted fakes of the tests fulfil.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

from aiokafka import (  # type: ignore[import-untyped]
    AIOKafkaConsumer,
    AIOKafkaProducer,
    ConsumerRebalanceListener,
    TopicPartition,
)
from aiokafka.admin import (  # type: ignore[import-untyped]
    AIOKafkaAdminClient,
    NewPartitions,
    NewTopic,
)
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType  # type: ignore[import-untyped]
from aiokafka.conn import (  # type: ignore[import-untyped]
    AIOKafkaConnection,
    CloseReason,
    collect_hosts,
    create_conn,
)
from aiokafka.errors import (  # type: ignore[import-untyped]
    ClusterAuthorizationFailedError,
    CommitFailedError,
    GroupAuthorizationFailedError,
    IllegalSaslStateError,
    IllegalStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    UnsupportedSaslMechanismError,
    for_code,
)
from aiokafka.protocol.metadata import MetadataRequest  # type: ignore[import-untyped]

from tocsin.record import Partition

__all__ = [
    "AIOKafkaAdminClient",
    "AIOKafkaConnection",
    "AIOKafkaConsumer",
    "AIOKafkaProducer",
    "CloseReason",
    "ClusterAuthorizationFailedError",
    "CommitFailedError",
    "ConfigResource",
    "ConfigResourceType",
    "GroupAuthorizationFailedError",
    "IllegalSaslStateError",
    "IllegalStateError",
    "KafkaConnectionError",
    "KafkaError",
    "MetadataRequest",
    "NewPartitions",
    "NewTopic",
    "SaslAuthenticationFailed",
    "TopicAuthorizationFailedError",
    "TopicPartition",
    "UnknownTopicOrPartitionError",
    "UnsupportedSaslMechanismError",
    "collect_hosts",
    "create_conn",
    "for_code",
]

OnPartitions = Callable[[Collection[Partition]], Awaitable[None]]


class Fetched(Protocol):
    """A record as aiokafka returns it. Raw: it is given no deserialiser, for one that raises would loop for ever."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class Consumer(Protocol):
    """`AIOKafkaConsumer`, as far as it is used. `pause` is left out on purpose: it throws the prefetched away."""

    def subscribe(self, topics: Sequence[str], *, listener: Any) -> None:
        """Say what to join for, before `start`."""

    async def start(self) -> None:
        """Connect and, with a group, join it."""

    async def stop(self) -> None:
        """Leave. Tells the listener nothing."""

    async def getmany(
        self, *partitions: Any, timeout_ms: int, max_records: int
    ) -> Mapping[tuple[str, int], Sequence[Fetched]]:
        """Return what has been prefetched. Never to be cancelled."""

    async def commit(self, offsets: Mapping[Any, int]) -> None:
        """Commit; goes on for ever while the coordinator cannot be reached."""

    def seek(self, partition: Any, offset: int) -> None:
        """Read on from the offset, forgetting what was prefetched of the partition."""

    async def beginning_offsets(self, partitions: Sequence[Any]) -> Mapping[tuple[str, int], int]:
        """Return the oldest offset of each partition."""

    async def end_offsets(self, partitions: Sequence[Any]) -> Mapping[tuple[str, int], int]:
        """Return the next offset to be written of each partition."""

    async def offsets_for_times(self, timestamps: Mapping[Any, int]) -> Mapping[tuple[str, int], Any]:
        """Return the first record of each partition that is not older than its time in milliseconds, None without."""


class Producer(Protocol):
    """`AIOKafkaProducer`, as far as it is used."""

    async def start(self) -> None:
        """Connect, and get a producer id."""

    async def stop(self) -> None:
        """Send what waits, then disconnect."""

    async def partitions_for(self, topic: str) -> Collection[int]:
        """Return the topic's partitions."""

    async def send(
        self, topic: str, value: bytes, key: bytes | None, *, partition: int, headers: Sequence[tuple[str, bytes]]
    ) -> Any:
        """Put a record into a batch; return a future of its acknowledgement."""


class Admin(Protocol):
    """`AIOKafkaAdminClient`, as far as it is used."""

    async def start(self) -> None:
        """Connect."""

    async def close(self) -> None:
        """Disconnect."""

    async def describe_cluster(self) -> Mapping[str, Any]:
        """Return its id, brokers and controller."""

    async def describe_topics(self) -> Sequence[Mapping[str, Any]]:
        """Return all topics. Asked for by name, a topic that is missing may be created by the broker's default."""

    async def describe_configs(self, config_resources: Sequence[Any]) -> Sequence[Any]:
        """Return the settings of topics."""

    async def alter_configs(self, config_resources: Sequence[Any]) -> Sequence[Any]:
        """Replace the settings of topics: what is not named goes back to its default."""

    async def create_topics(self, new_topics: Sequence[Any]) -> Any:
        """Create topics."""

    async def create_partitions(self, topic_partitions: Mapping[str, Any]) -> Any:
        """Add partitions."""

    async def list_consumer_group_offsets(
        self, group_id: str, *, partitions: Sequence[Any] | None = None
    ) -> Mapping[tuple[str, int], Any]:
        """Return what a group has committed."""


def named(partition: Partition) -> Any:
    """Return a partition as aiokafka has it: its type is checked."""
    return TopicPartition(partition.topic, partition.number)


class Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Passes aiokafka's rebalance callbacks on, as our partitions."""

    def __init__(self, *, on_assigned: OnPartitions, on_revoked: OnPartitions) -> None:
        self._on_assigned = on_assigned
        self._on_revoked = on_revoked

    async def on_partitions_assigned(self, assigned: Collection[tuple[str, int]]) -> None:
        """See aiokafka."""
        await self._on_assigned([Partition(*each) for each in sorted(assigned)])

    async def on_partitions_revoked(self, revoked: Collection[tuple[str, int]]) -> None:
        """See aiokafka."""
        await self._on_revoked([Partition(*each) for each in sorted(revoked)])
