"""A CloudEvent of any type, as rules see it: `{specversion, id, source, type, …attributes, data}`. Pure.

Sources: CloudEvents 1.0.2, its JSON event format, section 3, and the protocol bindings for Kafka and HTTP, both
section 3. The data of a binary event is decoded only where a rule may be for it.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

from producer import cloudevents
from producer.cloudevents import Identity
from tocsin.deadletter import Reason
from tocsin.record import Headers, Received
from tocsin.validation import Fault
from tocsin.web import body, problems

_DATA, _BASE64 = "data", "data_base64"
# Attributes that are text where they are there, besides those of every event.
_TEXTS = ("subject", "time", "datacontenttype")
# What may stand around the data in a structured event.
_ENVELOPE = 64 * 1024


class Event:
    """An event whose attributes are known; its data is read when the whole `document` is asked for."""

    def __init__(self, attributes: Mapping[str, Any], data: Callable[[], Any]) -> None:
        self.attributes = attributes
        self.identity = Identity(source=attributes["source"], id=attributes["id"])
        self._data = data

    def document(self) -> Mapping[str, Any]:
        """Return the whole event. Raises ProblemError where the data is not what its type says, or too large."""
        return {**self.attributes, _DATA: self._data()}


def of_record(received: Received, *, max_bytes: int) -> Event:
    """Return the event of a record. `max_bytes` is what its data may have. Raises NotAnEvent, ProblemError."""
    kind = cloudevents.content_type(received.headers)
    if kind is not None and kind.startswith(cloudevents.FAMILY):
        if kind != cloudevents.STRUCTURED:
            raise cloudevents.NotAnEvent(Reason.BROKEN_HEADERS, f"header content-type is not {cloudevents.STRUCTURED}")
        return structured(received.value, max_bytes=max_bytes)
    return binary(received.headers, received.value, content_type=kind, max_bytes=max_bytes)


def binary(
    headers: Headers,
    value: bytes,
    *,
    content_type: str | None,
    max_bytes: int,
    prefix: str = cloudevents.PREFIX,
) -> Event:
    """Return the event of a record or request in binary mode. Raises NotAnEvent."""
    attributes: dict[str, Any] = cloudevents.attributes(headers, prefix=prefix)
    # Not an attribute's name (section 3.1 of the specification), and it would hide the data.
    attributes.pop(_DATA, None)
    if content_type is not None:
        attributes["datacontenttype"] = content_type

    def data() -> Any:
        return _decoded(value, content_type, max_bytes) if value else None

    return Event(attributes, data)


def structured(value: bytes, *, max_bytes: int) -> Event:
    """Return the event of a record or request in structured mode. Raises NotAnEvent, ProblemError."""
    if len(value) > max_bytes + _ENVELOPE:
        raise _too_large(max_bytes)
    return of_document(body.decode(value), max_bytes=max_bytes)


def of_document(document: Any, *, max_bytes: int) -> Event:
    """Return the event that a JSON value is. Raises NotAnEvent."""
    given = cloudevents.members(document, also=_TEXTS)
    if _DATA in given and _BASE64 in given:
        raise cloudevents.wrong(
            Fault(pointer=f"/{_BASE64}", detail=f"stands beside `{_DATA}`, in place of which it is")
        )
    attributes = {name: value for name, value in given.items() if name not in {_DATA, _BASE64}}
    for name, value in attributes.items():
        if not isinstance(value, str | bool | int):
            raise cloudevents.wrong(Fault(pointer=f"/{name}", detail="must be text, true, false or an integer"))
    if _BASE64 not in given:
        return Event(attributes, lambda: given.get(_DATA))
    raw = _unpacked(given[_BASE64])
    media = cloudevents.media_type(given.get("datacontenttype", cloudevents.JSON))
    return Event(attributes, lambda: _decoded(raw, media, max_bytes))


def _decoded(value: bytes, media: str | None, max_bytes: int) -> Any:
    """Return the data, None where its type is not JSON: rules can then go by the attributes alone."""
    if media is not None and media != cloudevents.JSON and not media.endswith("+json"):
        return None
    if len(value) > max_bytes:
        raise _too_large(max_bytes)
    return body.decode(value)


def _unpacked(text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise cloudevents.wrong(Fault(pointer=f"/{_BASE64}", detail="must be base64")) from None


def _too_large(max_bytes: int) -> problems.ProblemError:
    return problems.too_large(f"The data of an event may have at most {max_bytes:,} bytes.")
