"""CloudEvents 1.0 in binary and structured mode, and those of them that ask for a notification.

Sources: CloudEvents Kafka protocol binding 1.0.2, section 3; CloudEvents JSON event format 1.0.2, section 3. A binary
event has its attributes in `ce_` headers and its data as the record's value; a structured one is JSON as a whole, and
says so by its content type. There is no batched mode on Kafka.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from tocsin.deadletter import Reason
from tocsin.record import Headers
from tocsin.validation import Fault

# The events that are taken; what else passes a topic is not meant for us, and is refused rather than guessed at.
TYPE = "tocsin.notification.requested"
SCHEMA = "urn:tocsin:schema:notification:1"
SPEC_VERSION = "1.0"
PREFIX = "ce_"
FAMILY = "application/cloudevents"
STRUCTURED = "application/cloudevents+json"
JSON = "application/json"

# CloudEvents 1.0.2, section 2.2: a String has none of these.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f]")
_REQUIRED = ("specversion", "id", "source", "type")
_KNOWN = (*_REQUIRED, "dataschema")


class Identity(NamedTuple):
    """What makes an event one of its kind: a source never gives an id twice to different events."""

    source: str
    id: str


class NotAnEvent(ValueError):
    """It is no event that we take. The message names the attribute, never its value."""

    def __init__(self, reason: Reason, detail: str, *, faults: tuple[Fault, ...] = ()) -> None:
        super().__init__(detail)
        self.reason = reason
        self.faults = faults


def is_binary(headers: Headers) -> bool:
    """Return whether a record that is not structured claims to be an event."""
    return any(name.startswith(PREFIX) for name, _ in headers)


def binary(headers: Headers) -> Identity:
    """Return who the event of a binary record is. Raises NotAnEvent."""
    return _meant_for_us(attributes(headers, only=_KNOWN))


def attributes(headers: Headers, *, prefix: str = PREFIX, only: Collection[str] = ()) -> dict[str, str]:
    """Return the attributes in the headers of a binary event: all of them, or `only` some. Raises NotAnEvent.

    Of those that are there, none is empty: an empty header is one that is not there.
    """
    found: dict[str, str] = {}
    for header, value in headers:
        name = header.removeprefix(prefix)
        if name in {header, ""} or (only and name not in only):
            continue
        if name in found:
            times = sum(each == header for each, _ in headers)
            raise NotAnEvent(Reason.BROKEN_HEADERS, f"header {header} is there {times} times")
        found[name] = _decoded(header, value)
    given = {name: text for name, text in found.items() if text}
    for name in _REQUIRED:
        if name not in given:
            raise NotAnEvent(Reason.BROKEN_HEADERS, f"header {prefix}{name} is missing")
    for name, text in given.items():
        if _CONTROLS.search(text):
            raise NotAnEvent(Reason.BROKEN_HEADERS, f"header {prefix}{name} holds a control character")
    if given["specversion"] != SPEC_VERSION:
        raise NotAnEvent(Reason.BROKEN_HEADERS, f"header {prefix}specversion is not {SPEC_VERSION}")
    return given


def structured(document: Any) -> tuple[Identity, Any]:
    """Return who the event of a structured record is, and its data. Raises NotAnEvent."""
    given = members(document)
    identity = _meant_for_us(given)
    if media_type(str(given.get("datacontenttype", JSON))) != JSON:
        raise wrong(Fault(pointer="/datacontenttype", detail=f"must be {JSON}"))
    if "data_base64" in given:
        raise wrong(Fault(pointer="/data_base64", detail="is not read here: send the notification in `data`"))
    if "data" not in given:
        raise wrong(Fault(pointer="/data", detail="is required: the notification"))
    return identity, given["data"]


def members(document: Any, *, also: Collection[str] = ()) -> dict[str, Any]:
    """Return the members of a structured event, its data among them. Raises NotAnEvent.

    The attributes that we look at are texts, and those that are `also` named.
    """
    if not isinstance(document, dict):
        raise wrong(Fault(pointer="", detail="must be a CloudEvent, which is an object"))
    # JSON event format, section 2.1: an attribute that is null is one that is not there.
    given = {name: value for name, value in document.items() if value is not None}
    if faults := [fault for name in (*_KNOWN, *also) if (fault := _fault(name, given)) is not None]:
        raise wrong(*faults)
    return given


def content_type(headers: Headers) -> str | None:
    """Return the media type that a record says it has, without parameters. Raises NotAnEvent."""
    value = next((value for name, value in reversed(headers) if name.lower() == "content-type"), b"")
    return media_type(_decoded("content-type", value)) if value else None


def media_type(text: str) -> str:
    """Return a content type without its parameters, in lower case."""
    return text.partition(";")[0].strip().lower()


def wrong(*faults: Fault) -> NotAnEvent:
    """Return what to raise of a structured event that is not valid."""
    return NotAnEvent(Reason.INVALID, "the CloudEvent is not valid", faults=faults)


def _meant_for_us(given: Mapping[str, str]) -> Identity:
    if given["type"] != TYPE:
        raise NotAnEvent(Reason.UNKNOWN_SCHEMA, f"attribute type is not {TYPE}")
    if given.get("dataschema", SCHEMA) != SCHEMA:
        raise NotAnEvent(Reason.UNKNOWN_SCHEMA, f"attribute dataschema is not {SCHEMA}")
    return Identity(source=given["source"], id=given["id"])


def _fault(name: str, given: Mapping[str, Any]) -> Fault | None:
    """Return what is wrong with an attribute of a structured event."""
    if name not in given:
        return Fault(pointer=f"/{name}", detail="is required") if name in _REQUIRED else None
    value = given[name]
    if not isinstance(value, str) or not value or _CONTROLS.search(value):
        return Fault(pointer=f"/{name}", detail="must be a string that is not empty, without control characters")
    if name == "specversion" and value != SPEC_VERSION:
        return Fault(pointer=f"/{name}", detail=f"must be {SPEC_VERSION}")
    return None


def _decoded(name: str, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise NotAnEvent(Reason.BROKEN_HEADERS, f"header {name} is not UTF-8") from None
