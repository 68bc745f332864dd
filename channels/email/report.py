"""A message that came back to us: which report is in it, and where it says whose mail it is about. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from channels.email import dsn, entity, feedback
from channels.email.dsn import StatusReport
from channels.email.entity import Entity, Fields
from channels.email.feedback import FeedbackReport

_RETURNED = frozenset({"text/rfc822-headers", "message/rfc822", "message/rfc822-headers", "message/global-headers"})
# Where the address that it came back to stands, for who does not see the envelope.
_ARRIVED_AT = ("delivered-to", "x-original-to", "to")
_MOST_VALUES = 20
_MOST_READ = 1000
_ADDRESS = re.compile(r"[^\s<>()\[\],;:\"']{1,64}@[^\s<>(),;:\"']{1,255}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What is in a message. `told` is None if it has no report: an answer by a person or by a machine.

    `arrived_at` are its own recipients. `returned` is the header of the mail that it is about, if it has that.
    """

    told: StatusReport | FeedbackReport | None
    arrived_at: tuple[str, ...] = field(repr=False)
    returned: Fields = field(repr=False)

    @property
    def returned_to(self) -> tuple[str, ...]:
        """The return path of the mail that it is about, as some servers keep it in the header."""
        return self.returned.get("return-path", ())[:_MOST_VALUES]

    @property
    def addresses(self) -> Iterator[str]:
        """The addresses that it may be about, the most likely first."""
        if isinstance(self.told, StatusReport):
            for recipient in self.told.recipients:
                yield from recipient.addresses
        elif self.told is not None:
            yield from self.told.addresses
        # What this finds is only good for being checked against a reference.
        yield from _ADDRESS.findall(entity.first(self.returned, "to")[:_MOST_READ])


def read(raw: bytes) -> Report:
    """Return the report in a message. Takes time linear in its size, and raises nothing."""
    message = entity.read(raw)
    told: StatusReport | FeedbackReport | None = None
    returned: Fields = {}
    for part in entity.leaves(message):
        if told is None and part.kind in dsn.KINDS:
            told = dsn.read(part.content)
        elif told is None and part.kind == feedback.KIND:
            told = feedback.read(part.content)
        elif told is not None and not returned and part.kind in _RETURNED:
            returned = entity.read(part.content).fields
    return Report(told=told, arrived_at=_arrived_at(message), returned=returned)


def _arrived_at(message: Entity) -> tuple[str, ...]:
    return tuple(text for name in _ARRIVED_AT for text in message.fields.get(name, ())[:_MOST_VALUES])
