"""Rules on recorded events: what would be sent to whom, as it would read. Nothing is sent, and no gateway is needed.

A notification goes the way that it goes in a gateway, up to the point where it would be accepted: the same rules, the
same schema, the same check, the same templates.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from producer import request
from producer.check import Checked, Checker, limits_of
from producer.cloudevents import NotAnEvent
from producer.request import Ask, Request
from producer.rules import book as books
from producer.rules import event as events
from producer.rules import folder, matching
from producer.rules.rule import Rule
from producer.rules.vocabulary import Vocabulary
from producer.schema import composed
from producer.submit import Refused
from tocsin import schemas
from tocsin.runtime import discover, wiring
from tocsin.runtime.service import Channel
from tocsin.runtime.trial import KnownRule, Message, TriedEvent, TriedRule
from tocsin.settings import sections
from tocsin.settings.values import Settings
from tocsin.templates.catalogue import Catalogue
from tocsin.templates.template import RenderFault, Template
from tocsin.validation import Fault, Schema
from tocsin.web.problems import ProblemError

_encoder = msgspec.json.Encoder()


def open_trial(settings: Settings, root: Path | None) -> "RuleTrial":
    """Return the rules of a folder, or of the settings' own. Raises SettingsError, TemplateError."""
    channels = {name: channel.under(settings) for name, channel in discover.enabled(settings).items()}
    templates = wiring.templates_on_disk(settings)
    schema = Schema(composed(schemas.document("notification"), channels.values()))
    configured = settings.section("rules", sections.Rules).root if root is None else str(root)
    where = folder.find(configured)
    vocabulary = Vocabulary(schema=schema.document, channels=channels, templates=templates)
    return RuleTrial(
        folder=where,
        found=books.opened(where, vocabulary, required=bool(configured)).rules,
        schema=schema,
        checker=Checker(channels=channels, templates=templates, limits=limits_of(settings)),
        channels=channels,
        templates=templates,
        max_bytes=settings.section("http", sections.Http).max_notification_bytes,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTrial:
    """Fulfils `tocsin.runtime.trial.Trial`."""

    folder: Path
    found: Sequence[Rule]
    schema: Schema
    checker: Checker
    channels: Mapping[str, Channel[Any]]
    templates: Catalogue
    max_bytes: int

    @property
    def rules(self) -> Sequence[KnownRule]:
        """See the contract."""
        return [KnownRule(name=rule.name, file=rule.file, line=rule.line) for rule in self.found]

    def event(self, document: Any, now: datetime) -> TriedEvent:
        """See the contract."""
        try:
            # As bytes, so that a gateway's bounds hold here too.
            event = events.structured(_encoder.encode(document), max_bytes=self.max_bytes)
            asks = matching.asks(event, self.found)
        except NotAnEvent as error:
            return TriedEvent(faults=error.faults or (Fault(pointer="", detail=str(error)),))
        except ProblemError as error:
            return TriedEvent(faults=error.faults or (Fault(pointer="/data", detail=error.detail),))
        return TriedEvent(
            source=event.identity.source,
            id=event.identity.id,
            type=event.attributes["type"],
            rules=[self._rule(ask, now) for ask in asks],
        )

    def _rule(self, ask: Ask, now: datetime) -> TriedRule:
        if not isinstance(ask, Request):
            return TriedRule(rule=str(ask.rule), notification={}, faults=ask.faults)
        document = ask.item.document
        faults = self.schema.faults(document)
        checked = faults or self._checked(document, ask.item.size, now)
        if isinstance(checked, Checked):
            messages = [each for name in document["channels"] for each in self._messages(name, document, checked)]
            return TriedRule(rule=str(ask.rule), notification=document, messages=messages)
        told = request.refused(ask, Refused(faults=checked)).faults
        return TriedRule(rule=str(ask.rule), notification=document, faults=told)

    def _checked(self, document: Mapping[str, Any], size: int, now: datetime) -> Checked | Sequence[Fault]:
        """Check the notification. What would be looked up in the store is taken to be there."""
        checked = self.checker.check(document, size=size, now=now)
        if isinstance(checked, Checked):
            return checked
        registered = {f"/recipient/{name}" for name in self._registered(document)}
        left = [fault for fault in checked if fault.pointer not in registered]
        bare = [name for name in document["channels"] if name not in self._registered(document)]
        if left or not bare:
            return left or Checked(addresses={}, template=self._template(document), expires_at=now)
        return self.checker.check({**document, "channels": bare}, size=size, now=now)

    def _registered(self, document: Mapping[str, Any]) -> Sequence[str]:
        """Return the channels whose addresses are registered under the recipient's id."""
        recipient = document["recipient"]
        return [
            name
            for name in document["channels"]
            if self.channels[name].lookup is not None and name not in recipient and "id" in recipient
        ]

    def _messages(self, name: str, document: Mapping[str, Any], checked: Checked) -> Iterator[Message]:
        addresses = checked.addresses.get(name, [f"what is registered for {document['recipient'].get('id')}"])
        locale, parts, fault = self._words(name, document)
        for address in addresses:
            yield Message(channel=name, address=address, locale=locale, parts=parts, fault=fault)

    def _words(self, name: str, document: Mapping[str, Any]) -> tuple[str | None, Mapping[str, str], str]:
        template = self._template(document)
        if template is None:
            content = document["content"][name]
            return None, {part: str(text) for part, text in content.items()}, ""
        locale = template.locale_for(self.channels[name].template_part, document["recipient"].get("locale"))
        parts: dict[str, str] = {}
        for part in sorted(part for found, part in template.parts if found == locale and part.startswith(f"{name}.")):
            rendered = template.render(part, locale, document.get("data", {}))
            if isinstance(rendered, RenderFault):
                return locale, {}, f"template {rendered.template}: {rendered.detail}"
            parts[part] = rendered
        return locale, parts, ""

    def _template(self, document: Mapping[str, Any]) -> Template | None:
        name = document.get("template")
        return None if name is None else self.templates.current(name)
