"""Looking at the cluster's topics, checking them, and changing them by a plan."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from loguru import logger

from tocsin.errors import LogUnavailable, TopicMismatch
from tocsin.eventlog.kafka.clients import Clients
from tocsin.eventlog.kafka.driver import (
    Admin,
    ConfigResource,
    ConfigResourceType,
    KafkaError,
    NewPartitions,
    NewTopic,
    for_code,
)
from tocsin.eventlog.kafka.layout import Layout, Wanted
from tocsin.eventlog.kafka.lookup import FORBIDDEN, told, worded
from tocsin.eventlog.kafka.plan import Found, Step, plan
from tocsin.topics import TopicSpec

# Where a setting of a topic comes from, in DescribeConfigs: set for this very topic.
_OWN = 1
_LOOKS, _LOOK_SECONDS = 100, 0.1
_ALREADY_THERE, _TOO_FEW_BROKERS = 36, 38
_UNSEEN = "; if they are there, the cluster does not let us see them (kafka.username)"
# The actions that change something.
DONE = ("create", "grow", "set")


class Topics:
    """Needs a started admin client. Methods raise LogUnavailable where the cluster does not answer or refuses."""

    def __init__(self, admin: Admin, layout: Layout) -> None:
        self._admin = admin
        self._layout = layout

    async def ensure(self, specs: Sequence[TopicSpec]) -> None:
        """Check that the topics are such that nothing is lost on them. Raises TopicMismatch that names them."""
        steps = await self.plan(specs)
        wrong = [f"{step.topic} {step.why}" for step in steps if step.blocking]
        if wrong:
            unseen = "" if await self.found({each.name for each in specs}) else _UNSEEN
            raise TopicMismatch(f"topics are not as they should be, run `tocsin topics apply`: {_few(wrong)}{unseen}")
        differing = [step for step in steps if not step.blocking]
        if differing:
            example = f"{differing[0].topic}: {differing[0].why}"
            logger.warning("topics_differ", count=len(differing), example=example, mend="tocsin topics check")

    async def plan(self, specs: Sequence[TopicSpec], *, shorter_retention: bool = False) -> list[Step]:
        """Return what separates the topics from what they should be."""
        wanted = [self._layout.wanted(spec) for spec in specs]
        found = await self.found({each.name for each in wanted})
        return plan(wanted, found, shorter_retention=shorter_retention)

    async def found(self, names: Collection[str]) -> dict[str, Found]:
        """Return those of the topics that are there."""
        with _worded():
            # All of them, because asking for one that is missing may create it.
            there = {each["topic"]: each for each in await self._admin.describe_topics() if each["topic"] in names}
            resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in sorted(there)]
            answers = await self._admin.describe_configs(resources) if resources else []
        entries = {name: entry for answer in answers for name, entry in _entries(answer)}
        return {name: _found(there[name], entries[name]) for name in there}

    async def apply(self, steps: Sequence[Step], specs: Sequence[TopicSpec]) -> None:
        """Do what the steps say. What is refused or only warned of is left out."""
        wanted = {spec.name: self._layout.wanted(spec) for spec in specs}
        creating = [wanted[step.topic] for step in steps if step.action == "create"]
        growing = [wanted[step.topic] for step in steps if step.action == "grow"]
        setting = {step.topic: step.configs or {} for step in steps if step.action == "set"}
        with _worded():
            if creating:
                await self._create(creating)
            if growing:
                await self._admin.create_partitions({each.name: NewPartitions(each.partitions) for each in growing})
            if setting:
                await self._set(setting)
        await self._settled([step for step in steps if step.action in DONE], specs)

    async def _settled(self, steps: Sequence[Step], specs: Sequence[TopicSpec]) -> None:
        """Return once the cluster shows what was done: brokers hear of it one after another."""
        for _ in range(_LOOKS):
            left = {_what(step) for step in await self.plan(specs, shorter_retention=True)}
            if left.isdisjoint(_what(step) for step in steps):
                return
            await asyncio.sleep(_LOOK_SECONDS)
        raise LogUnavailable("Kafka has taken the changes and does not show them yet; look with `tocsin topics check`")

    async def _create(self, wanted: Sequence[Wanted]) -> None:
        new = [
            NewTopic(each.name, each.partitions, each.replication, topic_configs=dict(each.configs)) for each in wanted
        ]
        answer = await self._admin.create_topics(new)
        # What somebody else has made meanwhile is looked at afterwards, as all of them are.
        errors = [error for error in answer.topic_errors if error[1] not in {0, _ALREADY_THERE}]
        refused = [f"{name}: {_error(code, said)}" for name, code, *said in errors]
        if refused:
            few = any(code == _TOO_FEW_BROKERS for _, code, *_ in answer.topic_errors)
            hint = "; for fewer brokers set kafka.replication (TOCSIN__KAFKA__REPLICATION=1 for one)" if few else ""
            raise LogUnavailable(f"Kafka did not make {_few(refused)}{hint}")

    async def _set(self, changes: Mapping[str, Mapping[str, str]]) -> None:
        """Change settings. Kafka replaces all of a topic's own with what it is given, so the others go with them."""
        found = await self.found(changes.keys())
        resources = [
            ConfigResource(ConfigResourceType.TOPIC, name, configs={**found[name].own, **configs})
            for name, configs in changes.items()
        ]
        for answer in await self._admin.alter_configs(resources):
            refused = [f"{name}: {_error(code, [said])}" for code, said, _, name in answer.resources if code]
            if refused:
                raise LogUnavailable(f"Kafka did not change {_few(refused)}")


@asynccontextmanager
async def opened(clients: Clients, layout: Layout, *, seconds: float) -> AsyncIterator[Topics]:
    """Open a client for the topics. Raises LogUnavailable."""
    admin = clients.admin()
    try:
        try:
            async with asyncio.timeout(seconds):
                await admin.start()
        except (KafkaError, OSError) as error:
            raise LogUnavailable(f"Kafka cannot be asked about topics: {await told(clients, error)}") from error
        yield Topics(admin, layout)
    finally:
        await admin.close()


class _worded:  # noqa: N801 - reads as a word where it is used
    """Turns the driver's errors into ours."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, KafkaError | OSError | TimeoutError):
            raise LogUnavailable(f"Kafka cannot be asked about topics: {worded(error)}") from error


def _entries(answer: Any) -> list[tuple[str, Sequence[Any]]]:
    found = []
    for code, said, _, name, entries in answer.resources:
        if code:
            raise LogUnavailable(f"Kafka does not tell the settings of {name}: {_error(code, [said])}")
        found.append((name, entries))
    return found


def _found(topic: Mapping[str, Any], entries: Sequence[Any]) -> Found:
    values = {name: value for name, value, *_ in entries if value is not None}
    own = {name: value for name, value, _, source, *_ in entries if source == _OWN and value is not None}
    partitions = topic["partitions"]
    replication = min((len(each["replicas"]) for each in partitions), default=0)
    return Found(name=topic["topic"], partitions=len(partitions), replication=replication, configs=values, own=own)


def _few(told: Sequence[str]) -> str:
    """Return the first of what is mostly the same."""
    return told[0] + (f" (and {len(told) - 1} more topics)" if len(told) > 1 else "")


def _error(code: int, said: Sequence[str | None]) -> str:
    error = for_code(code)
    if issubclass(error, FORBIDDEN):
        return worded(error())
    text = next((each for each in said if each), "")
    return text or str(error.__name__)


def _what(step: Step) -> tuple[str, str, frozenset[str]]:
    """Return what a step is about: not in words, for these change with what is there."""
    return (step.topic, step.action, frozenset(step.configs or ()))
