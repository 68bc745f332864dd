"""What a rule may name: the members of a notification, channels and templates, as this gateway has them.

A rule is checked as the notification that it makes would be, as far as that is known before there is an event: what is
picked from one is left to the event.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from producer.rules import members
from producer.rules.members import Member, Plain, Row, Table
from tocsin.runtime.service import Channel
from tocsin.settings.shape import Path
from tocsin.settings.suggest import mend
from tocsin.templates.catalogue import Catalogue
from tocsin.templates.template import Template
from tocsin.validation import Fault, Schema, pointer

# Those of a notification that a rule has. Times of day and attachments are no business of a rule.
MEMBERS = ("recipient", "channels", "template", "data", "content", "lane", "category", "expires_in", "metadata")


class Vocabulary:
    """`schema` is that of a submitted notification, composed for these channels."""

    def __init__(
        self, *, schema: Mapping[str, Any], channels: Mapping[str, Channel[Any]], templates: Catalogue
    ) -> None:
        self._schemas = {name: Schema(schema["properties"][name]) for name in MEMBERS}
        self._channels = channels
        self._templates = templates

    def faults(self, rule: Mapping[str, Member]) -> Iterator[Fault]:
        """Return what is wrong with the members of a rule, by their places."""
        for name, member in rule.items():
            yield from self._member(name, member)
        yield from _absent(rule)
        yield from self._template(rule)
        for channel in self._plain_channels(rule):
            yield from self._channel(channel, rule)

    def _member(self, name: str, member: Member) -> Iterator[Fault]:
        value, picked = members.sketch(member)
        if "" in picked:
            return  # all of it
        strange = list(_strange(member, self._schemas[name].document, (name,)))
        yield from strange
        told = [*(pointer([name]) + place for place in picked), *(fault.pointer for fault in strange)]
        for fault in self._schemas[name].faults(value):
            place = pointer([name]) + fault.pointer
            if not _within(place, told):
                yield Fault(pointer=place, detail=fault.detail)

    def _template(self, rule: Mapping[str, Member]) -> Iterator[Fault]:
        name = _plain_text(rule.get("template"))
        if name is None:
            return
        template = self._templates.current(name)
        if template is None:
            hint = mend(name, self._templates.names())
            yield Fault(pointer="/template", detail=f"there is no template of this name; {hint}")
            return
        for channel in self._plain_channels(rule):
            part = self._channels[channel].template_part
            if template.locale_for(part, None) is None:
                detail = f"has no {part}, so it cannot be used on the channel {channel}"
                yield Fault(pointer="/template", detail=detail)
        yield from _data(template, rule.get("data", Table({})))

    def _channel(self, channel: str, rule: Mapping[str, Member]) -> Iterator[Fault]:
        """Return what a channel that is asked for would miss of every event."""
        content = rule.get("content")
        if isinstance(content, Table) and channel not in content.members:
            yield Fault(pointer=pointer(["content", channel]), detail="is required, since the channel is asked for")
        named = self._channels[channel].fragments()["recipient"]
        recipient = rule.get("recipient")
        registered = self._channels[channel].lookup is not None
        if isinstance(recipient, Table) and not registered and recipient.members.keys().isdisjoint(named):
            place = pointer(["recipient", next(iter(named))])
            yield Fault(pointer=place, detail=f"is required for the channel {channel}")

    def _plain_channels(self, rule: Mapping[str, Member]) -> Sequence[str]:
        """Return the channels that the rule names itself and that are there."""
        listed = rule.get("channels")
        named = [_plain_text(each) for each in listed.items] if isinstance(listed, Row) else []
        return [name for name in named if name is not None and name in self._channels]


def _strange(member: Member, schema: Mapping[str, Any], path: Path) -> Iterator[Fault]:
    """Return the names that the schema does not know: also of what is picked, whose value nobody knows yet."""
    if not isinstance(member, Table):
        return
    known = schema.get("properties", {})
    for name, below in member.members.items():
        if name in known:
            yield from _strange(below, known[name], (*path, name))
        elif schema.get("additionalProperties") is False:
            yield Fault(pointer=pointer([*path, name]), detail=f"is not known here; {mend(name, known)}")


def _absent(rule: Mapping[str, Member]) -> Iterator[Fault]:
    for name in ("recipient", "channels"):
        if name not in rule:
            yield Fault(pointer=pointer([name]), detail="is required")
    if "template" not in rule and "content" not in rule:
        yield Fault(pointer="/template", detail="is required, unless `content` is given")
    # A template that is picked may be left out by an event, and the content then takes its place.
    if isinstance(rule.get("template"), Plain) and "content" in rule:
        yield Fault(pointer="/content", detail="goes in place of `template`, not beside it")
    if "template" not in rule and "data" in rule:
        yield Fault(pointer="/data", detail="is of use only with `template`")


def _data(template: Template, data: Member) -> Iterator[Fault]:
    value, picked = members.sketch(data)
    for fault in template.faults(value) if isinstance(value, dict) else ():
        if not _within(fault.pointer, ["/data" + place for place in picked]):
            yield fault


def _within(place: str, picked: Collection[str]) -> bool:
    """Return whether a place is one that is picked, or lies in one."""
    return any(place == each or place.startswith(f"{each}/") for each in picked)


def _plain_text(member: Member | None) -> str | None:
    return member.value if isinstance(member, Plain) and isinstance(member.value, str) else None
