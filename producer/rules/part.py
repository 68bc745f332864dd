"""The rules at work: their files, the topics of events, `POST /v1/events`, and the replays of what they refused."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from producer.requests import Intake, Requests
from producer.rules import book as books
from producer.rules import folder
from producer.rules.api import Api
from producer.rules.book import RuleBook
from producer.rules.reader import EventReader
from producer.rules.reloading import Reloading
from producer.rules.vocabulary import Vocabulary
from producer.submit import Submitter
from producer.tallies import EventTally
from tocsin import topics
from tocsin.runtime.service import Channel, Context, Part
from tocsin.settings import sections
from tocsin.settings.values import Settings
from tocsin.templates.catalogue import Catalogue
from tocsin.web.health import Check

NAME = "producer.rules"
# Each of them is looked at by every rule that there is, and all of them wait for the last.
_AT_ONCE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesPart:
    """What the producer has of the rules. `reader` reads what is replayed on `notifications.requests`."""

    part: Part
    reader: EventReader


def opened(
    settings: Settings, *, schema: Mapping[str, Any], channels: Mapping[str, Channel[Any]], templates: Catalogue
) -> RuleBook:
    """Return the rules that the settings name. Raises SettingsError that tells everything that is wrong with them."""
    root = settings.section("rules", sections.Rules).root
    vocabulary = Vocabulary(schema=schema, channels=channels, templates=templates)
    return books.opened(folder.find(root), vocabulary, required=bool(root))


def build(
    context: Context,
    submitter: Submitter,
    *,
    schema: Mapping[str, Any],
    intake: Callable[[Intake], Requests],
) -> RulesPart:
    """Return the part. `intake` makes the loop that reads from the log. Raises SettingsError."""
    book = opened(context.settings, schema=schema, channels=context.channels, templates=context.templates)
    http = context.settings.section("http", sections.Http)
    reader = EventReader(book, max_bytes=http.max_notification_bytes)
    api = Api(
        book=book,
        submitter=submitter,
        metrics=context.metrics,
        event_bytes=http.max_notification_bytes,
        batch_bytes=http.max_batch_bytes,
        batch_items=http.max_batch_items,
    )
    reloading = Reloading(book, clock=context.clock, metrics=context.metrics)
    named = context.settings.section("rules", sections.Rules).topics
    loop = intake(_intake(named, reader, context)) if named else None
    part = Part(
        router=api.router,
        loops=(reloading,) if loop is None else (loop, reloading),
        checks={NAME: lambda: _check(book, loop)},
    )
    return RulesPart(part=part, reader=reader)


def _intake(named: Sequence[str], reader: EventReader, context: Context) -> Intake:
    return Intake(
        name=NAME,
        topics=named,
        group=topics.rules_group(),
        reader=reader,
        tally=EventTally(context.metrics),
        at_once=_AT_ONCE,
        slow=True,
    )


def _check(book: RuleBook, loop: Requests | None) -> Check:
    """Return what is wrong. Files that cannot be used are told, and keep nothing from working."""
    if loop is not None and not loop.healthy:
        return Check(ok=False, detail=loop.detail)
    return Check(ok=True, detail=book.detail)
