"""What separates the topics that are there from those that should be, and which steps would mend it. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tocsin.eventlog.kafka.layout import Wanted

_SAFE_COPIES = 3
_SAFE_IN_SYNC = 2
_HOUR_MS = 3_600_000
_IN_SYNC = "min.insync.replicas"

Action = Literal["create", "grow", "set", "refuse", "warn"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One topic as it is. `configs` is what holds, `own` the part of it that was set for this topic."""

    name: str
    partitions: int
    replication: int
    configs: Mapping[str, str]
    own: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to do about a topic, or that cannot or may not be done. `why` is for people.

    `blocking`: services do not start before it is mended, for they could lose records or not write them at all.
    """

    action: Action
    topic: str
    why: str
    blocking: bool = False
    configs: Mapping[str, str] | None = None


def plan(wanted: Sequence[Wanted], found: Mapping[str, Found], *, shorter_retention: bool = False) -> list[Step]:
    """Return the steps, topic by topic. With `shorter_retention`, records may be deleted sooner than now."""
    return [step for each in wanted for step in _of(each, found.get(each.name), shorter_retention=shorter_retention)]


def _of(wanted: Wanted, found: Found | None, *, shorter_retention: bool) -> Iterator[Step]:
    name = wanted.name
    if found is None:
        kept = _kept(wanted.configs["retention.ms"])
        why = f"is missing: {wanted.partitions} partitions, {wanted.replication} copies, kept for {kept}"
        yield Step(action="create", topic=name, why=why, blocking=True)
        yield from _weak(name, wanted.replication, wanted.configs[_IN_SYNC])
        return
    if not wanted.ours:
        return
    if found.partitions < wanted.partitions:
        why = f"has {found.partitions} partitions instead of {wanted.partitions}"
        yield Step(action="grow", topic=name, why=why, blocking=True)
    elif found.partitions > wanted.partitions:
        why = f"has {found.partitions} partitions, and Kafka cannot take any away; declare as many"
        yield Step(action="refuse", topic=name, why=why)
    if found.replication != wanted.replication:
        instead = f"has {found.replication} copies instead of {wanted.replication} (kafka.replication)"
        why = f"{instead}: kafka-reassign-partitions changes that"
        yield Step(action="warn", topic=name, why=why)
    configs = dict(wanted.configs)
    if int(configs[_IN_SYNC]) > found.replication:
        # Not what it has copies for: it would refuse every write.
        configs[_IN_SYNC] = found.configs.get(_IN_SYNC, "1")
    yield from _settings(name, configs, found, shorter_retention=shorter_retention)
    yield from _weak(name, found.replication, configs[_IN_SYNC])


def _settings(name: str, wanted: Mapping[str, str], found: Found, *, shorter_retention: bool) -> Iterator[Step]:
    wrong = {key: value for key, value in wanted.items() if found.configs.get(key) != value}
    losing = _losing(wrong, found.configs) if not shorter_retention else {}
    for key, why in losing.items():
        yield Step(
            action="refuse",
            topic=name,
            why=f"{why}; --allow-shorter-retention does it",
            configs={key: wrong[key]},
        )
    changes = {key: value for key, value in wrong.items() if key not in losing}
    if changes:
        told = ", ".join(f"{key} is {found.configs.get(key, 'unknown')} instead of {changes[key]}" for key in changes)
        blocking = any(_blocking(key, found.configs.get(key, ""), value) for key, value in changes.items())
        yield Step(action="set", topic=name, why=told, blocking=blocking, configs=changes)


def _losing(wrong: Mapping[str, str], present: Mapping[str, str]) -> dict[str, str]:
    """Return the changes by which records would go that are kept now, with the reason in words."""
    losing = {}
    if "retention.ms" in wrong and _longer(present.get("retention.ms", "-1"), wrong["retention.ms"]):
        now, then = _kept(present.get("retention.ms", "-1")), _kept(wrong["retention.ms"])
        losing["retention.ms"] = f"keeps records for {now}, and {then} would delete some"
    if "cleanup.policy" in wrong and "delete" not in present.get("cleanup.policy", "delete"):
        losing["cleanup.policy"] = "deletes nothing by age now, and would"
    return losing


def _blocking(key: str, present: str, wanted: str) -> bool:
    """Return whether a setting that differs is a danger, not only a difference."""
    if key == "retention.ms":
        return _longer(wanted, present)
    if key == "max.message.bytes":
        return int(present or 0) < int(wanted)
    return key in {"cleanup.policy", "retention.bytes"}


def _weak(topic: str, copies: int, in_sync: str) -> Iterator[Step]:
    needed = int(in_sync)
    if needed > copies:
        why = f"wants {needed} copies in sync and has {copies}: nothing can be written to it"
        yield Step(action="warn", topic=topic, why=why, blocking=True)
    elif copies < _SAFE_COPIES or needed < _SAFE_IN_SYNC:
        why = f"{copies} copies, {needed} in sync: with one broker, a record that was acknowledged can be lost"
        yield Step(action="warn", topic=topic, why=why)


def _longer(one: str, other: str) -> bool:
    """Return whether one retention is longer than the other; -1 is for ever."""
    endless = float("inf")
    first, second = (endless if text == "-1" else float(text or 0) for text in (one, other))
    return first > second


def _kept(milliseconds: str) -> str:
    return "ever" if milliseconds == "-1" else f"{int(milliseconds) / _HOUR_MS:g} h"
