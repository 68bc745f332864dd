"""`tocsin topics`: the topics of a Kafka cluster, made and checked from one list. Asks the cluster, not the gateway."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from tocsin.cli import options, output, world
from tocsin.cli.failures import CommandFailed, Misused

if TYPE_CHECKING:
    from tocsin.eventlog.kafka.layout import Layout
    from tocsin.eventlog.kafka.plan import Step
    from tocsin.eventlog.kafka.topics import Topics
    from tocsin.settings.sections import Kafka, Rules
    from tocsin.topics import TopicSpec

T = TypeVar("T")

_WORDS = {"create": "create", "grow": "add partitions", "set": "change", "refuse": "REFUSED", "warn": "note"}
_DONE = ("create", "grow", "set")

Shorter = Annotated[
    bool,
    typer.Option("--allow-shorter-retention", help="Let records be deleted sooner than now, if the list says so."),
]


def apply(
    ctx: typer.Context,
    *,
    shorter_retention: Shorter = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Make the topics that Tocsin needs, and change those that are not as the list says.

    The list is configs/kafka/topics.toml (or kafka.topics_file): settings by kind of topic, each with as many copies as
    kafka.replication says: 3, or 1 where there is one broker. Names follow from the channels that are installed,
    and from rules.topics.

    The plan is shown first. What could lose records is refused, and the rest is done: a topic never gets fewer
    partitions, and keeps records for a shorter time only with --allow-shorter-retention. What has been written stays;
    topics that are not Tocsin's are left alone.

    \b
    Examples:
      tocsin topics apply
      tocsin topics apply --yes --config /etc/tocsin/tocsin.toml
      make kafka            # in another terminal: one broker, for trying
      TOCSIN__KAFKA__BOOTSTRAP_SERVERS=127.0.0.1:9092 TOCSIN__KAFKA__REPLICATION=1 tocsin topics apply
    """

    async def work(topics: "Topics", specs: "Sequence[TopicSpec]", _: "Layout") -> "list[Step]":
        steps = await topics.plan(specs, shorter_retention=shorter_retention)
        doable = [step for step in steps if step.action in _DONE]
        if not as_json:
            _show(steps, count=len(specs))
        if doable:
            if not yes:
                _ask(ctx, len(doable))
            await topics.apply(steps, specs)
        return steps

    steps = _with_topics(ctx, work, config=config)
    refused = [step for step in steps if step.action == "refuse"]
    if as_json:
        output.json({"steps": _listed(steps)})
    elif any(step.action in _DONE for step in steps):
        output.out().print("Done.")
    if refused:
        raise CommandFailed(f"{len(refused)} changes were refused: {refused[0].topic} {refused[0].why}")


def check(
    ctx: typer.Context,
    *,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Compare the topics with the list, and change nothing. Exit code 1 if `tocsin topics apply` would do something.

    Notes do not count: such as that records have too few copies to survive the loss of a broker.

    \b
    Examples:
      tocsin topics check
      tocsin topics check --json | jq '.steps[].why'
    """

    async def work(topics: "Topics", specs: "Sequence[TopicSpec]", _: "Layout") -> "list[Step]":
        steps = await topics.plan(specs)
        if not as_json:
            _show(steps, count=len(specs))
        return steps

    steps = _with_topics(ctx, work, config=config)
    if as_json:
        output.json({"steps": _listed(steps)})
    wrong = {step.topic for step in steps if step.action != "warn" or step.blocking}
    if wrong:
        raise CommandFailed(f"{len(wrong)} topics are not as the list says; `tocsin topics apply` mends what it can")


def describe(ctx: typer.Context, *, config: options.Config = None, as_json: options.AsJson = False) -> None:
    """List the topics that Tocsin uses, and what each is like on the cluster.

    \b
    Examples:
      tocsin topics describe
      tocsin topics describe --json | jq '.topics[] | select(.found == false)'
    """

    async def work(topics: "Topics", specs: "Sequence[TopicSpec]", layout: "Layout") -> list[dict[str, Any]]:
        found = await topics.found({spec.name for spec in specs})
        rows: list[dict[str, Any]] = []
        for spec in specs:
            there, wanted = found.get(spec.name), layout.wanted(spec)
            configs = there.configs if there else wanted.configs
            rows.append(
                {
                    "name": spec.name,
                    "kind": spec.kind,
                    "found": there is not None,
                    "partitions": there.partitions if there else wanted.partitions,
                    "replication": there.replication if there else wanted.replication,
                    "min_insync_replicas": int(configs["min.insync.replicas"]),
                    "retention_ms": int(configs["retention.ms"]),
                }
            )
        return rows

    rows = _with_topics(ctx, work, config=config)
    if as_json:
        output.json({"topics": rows})
        return
    table = output.table("TOPIC", "KIND", "PARTITIONS", "COPIES", "IN SYNC", "KEPT", "")
    for row in rows:
        kept = "for ever" if row["retention_ms"] < 0 else f"{row['retention_ms'] / 3_600_000:g} h"
        cells = (row["partitions"], row["replication"], row["min_insync_replicas"], kept)
        there = "" if row["found"] else "missing"
        table.add_row(output.plain(row["name"]), row["kind"], *map(str, cells), there)
    output.out().print(table)


def _with_topics(
    ctx: typer.Context,
    work: "Callable[[Topics, Sequence[TopicSpec], Layout], Awaitable[T]]",
    *,
    config: str | None,
) -> T:
    """Work with the cluster's topics. Raises SettingsError, LogUnavailable."""
    import asyncio  # noqa: PLC0415 -- `tocsin --help` shall not wait for these

    from tocsin import topics as names  # noqa: PLC0415
    from tocsin.eventlog.kafka import layout as layouts  # noqa: PLC0415
    from tocsin.eventlog.kafka import topics  # noqa: PLC0415
    from tocsin.eventlog.kafka.clients import KafkaClients  # noqa: PLC0415
    from tocsin.runtime import discover  # noqa: PLC0415

    settings, rules = _settings(ctx, config)
    layout = layouts.load(layouts.find(settings.topics_file), replication=settings.replication)
    specs = [*names.of_channels(discover.channels()), *names.of_events(rules.topics)]

    async def run() -> T:
        async with topics.opened(KafkaClients(settings), layout, seconds=settings.lookup_timeout_seconds) as there:
            return await work(there, specs, layout)

    return asyncio.run(run())


def _settings(ctx: typer.Context, config: str | None) -> "tuple[Kafka, Rules]":
    from tocsin.runtime import discover  # noqa: PLC0415 -- as above
    from tocsin.settings import find, load  # noqa: PLC0415
    from tocsin.settings.sections import Kafka, Rules  # noqa: PLC0415

    environ = world.of(ctx).environ
    every = load.load(discover.setting_sections(), path=find.find(config, environ), environ=environ)
    found = every.section("kafka", Kafka)
    if not found.bootstrap_servers:
        raise Misused(
            "kafka.bootstrap_servers is empty, so Tocsin uses its embedded log, which makes its topics by itself; "
            "for a cluster set TOCSIN__KAFKA__BOOTSTRAP_SERVERS=host:9092"
        )
    return found, every.section("rules", Rules)


def _ask(ctx: typer.Context, count: int) -> None:
    if not world.of(ctx).can_ask():
        raise Misused("Nobody is here to be asked whether to do this; say --yes")
    if not typer.confirm(f"Do these {count} steps?" if count > 1 else "Do this step?", err=True):
        raise CommandFailed("Nothing was changed.")


def _show(steps: "Sequence[Step]", *, count: int) -> None:
    if not steps:
        output.out().print(f"All {count} topics are as the list says.")
        return
    table = output.table("TOPIC", "STEP", "WHY")
    notes: dict[str, list[str]] = {}
    for step in steps:
        if step.action == "warn":
            notes.setdefault(step.why, []).append(step.topic)
        else:
            table.add_row(output.plain(step.topic), _WORDS[step.action], output.plain(step.why))
    for why, topics in notes.items():  # mostly the same of every topic
        more = f" and {len(topics) - 1} more" if len(topics) > 1 else ""
        table.add_row(output.plain(topics[0] + more), _WORDS["warn"], output.plain(why))
    output.out().print(table)


def _listed(steps: "Sequence[Step]") -> list[dict[str, Any]]:
    return [{"topic": step.topic, "action": step.action, "why": step.why, "blocking": step.blocking} for step in steps]
