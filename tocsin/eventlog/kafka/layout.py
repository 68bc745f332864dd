"""What the topics should be like: one declarative file, by kind of topic. Names come from `tocsin.topics`."""

import importlib.resources
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec

from tocsin.errors import SettingsError
from tocsin.topics import Kind, TopicSpec

_HERE = Path("configs") / "kafka" / "topics.toml"
_HOUR_MS = 3_600_000

Count = Annotated[int, msgspec.Meta(ge=1)]


class KindSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all topics of one kind have in common."""

    partitions: Count
    retention_hours: Count


class KindTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every kind that there is. A file of before there were events need not say what their topics are like."""

    delivery: KindSettings
    retry: KindSettings
    dlq: KindSettings
    audit: KindSettings
    event: KindSettings = KindSettings(partitions=12, retention_hours=168)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One topic as it should be. `configs` are Kafka's own names and values.

    One that is not `ours` is made where it is missing, and else left as it is.
    """

    name: str
    partitions: int
    replication: int
    configs: Mapping[str, str]
    ours: bool = True


class Layout(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file, and with it the copies of each record, by `kafka.replication`."""

    replication: Count
    min_insync_replicas: Count
    max_message_bytes: Annotated[int, msgspec.Meta(ge=64 * 1024)]
    kinds: KindTable

    def of(self, kind: Kind) -> KindSettings:
        """Return the settings of a kind."""
        found: KindSettings = getattr(self.kinds, kind)
        return found

    def wanted(self, spec: TopicSpec) -> Wanted:
        """Return what a topic should be like."""
        kind = self.of(spec.kind)
        return Wanted(
            name=spec.name,
            partitions=kind.partitions,
            replication=self.replication,
            configs={
                "cleanup.policy": "delete",
                "retention.ms": str(kind.retention_hours * _HOUR_MS),
                # Age is the only reason to delete: how much may come before it is read, nobody knows.
                "retention.bytes": "-1",
                "min.insync.replicas": str(self.min_insync_replicas),
                "max.message.bytes": str(self.max_message_bytes),
                # When the log took it, by one clock; a sender's clock that is wrong would keep records for ever.
                "message.timestamp.type": "LogAppendTime",
                "unclean.leader.election.enable": "false",
            },
            ours=spec.kind != "event",
        )


def find(named: str) -> Path:
    """Return the file: the one that is named, else ./configs/kafka/topics.toml, else the packaged one."""
    if named:
        return Path(named)
    if _HERE.is_file():
        return _HERE
    # Tocsin is never run from a zip file, so what the package holds is a file.
    return Path(str(importlib.resources.files("configs").joinpath("kafka").joinpath(_HERE.name)))


def load(path: Path, *, replication: int) -> Layout:
    """Read a file. `replication` is the copies of each record; `min_insync_replicas` is lowered to what they allow.

    Raises SettingsError.
    """
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
        if "replication" in tree:
            raise SettingsError(f"{path}: replication is not set here, but by kafka.replication in the settings")
        listed = msgspec.convert({**tree, "replication": replication}, Layout)
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise SettingsError(f"{path}: {error}") from error
    most = max(1, replication - 1)
    return msgspec.structs.replace(listed, min_insync_replicas=min(listed.min_insync_replicas, most))
