"""CloudEvents 1.0 in Kafka's binary mode: the attributes are headers, the body is bare JSON.

Source: CloudEvents Kafka protocol binding 1.0.2, section 3.2.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache

import msgspec

from tocsin import lifecycle, topics
from tocsin.clock import from_rfc3339, rfc3339
from tocsin.record import Headers, Record

_SPEC_VERSION = b"1.0"
# The same in every record, so the same objects: what is shared need not be made, counted and freed.
_SPECVERSION_PAIR = ("ce_specversion", _SPEC_VERSION)
_CONTENT_PAIR = ("content-type", b"application/json")
_SOURCE = "/tocsin"
# As json.dumps writes it: a high one without its low one, or a low one alone.
_LONE_SURROGATE = re.compile(r"\\ud[89ab]..(?!\\ud[c-f])|(?<!\\ud[89ab]..)\\ud[c-f]..")


class BrokenEnvelope(ValueError):
    """The headers are not those of a CloudEvent that we read. The message names the attribute, never its value."""


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """The attributes of a CloudEvent."""

    id: str
    type: str
    time: datetime
    schema: str
    source: str = _SOURCE
    traceparent: str | None = None


def write(envelope: Envelope) -> Headers:
    """Return the envelope as headers."""
    headers = (
        _SPECVERSION_PAIR,
        ("ce_id", envelope.id.encode()),
        _pair("ce_type", envelope.type),
        _pair("ce_source", envelope.source),
        ("ce_time", rfc3339(envelope.time).encode()),
        _pair("ce_dataschema", envelope.schema),
        _CONTENT_PAIR,
    )
    return (*headers, ("traceparent", envelope.traceparent.encode())) if envelope.traceparent else headers


@lru_cache(maxsize=128)
def _pair(name: str, value: str) -> tuple[str, bytes]:
    """Return a header whose values are few."""
    return name, value.encode()


def read(headers: Headers) -> Envelope:
    """Return the envelope in the headers. Raises BrokenEnvelope where an attribute is missing or malformed."""
    found = dict(headers)
    if found.get("ce_specversion") != _SPEC_VERSION:
        raise BrokenEnvelope("attribute specversion is not 1.0")
    moment = from_rfc3339(_text(found, "ce_time"))
    if moment is None:
        raise BrokenEnvelope("attribute time is not RFC 3339 with an offset")
    return Envelope(
        id=_text(found, "ce_id"),
        type=_text(found, "ce_type"),
        source=_text(found, "ce_source"),
        time=moment,
        schema=_text(found, "ce_dataschema"),
        traceparent=_text(found, "traceparent") if "traceparent" in found else None,
    )


def _text(found: Mapping[str, bytes], name: str) -> str:
    value = found.get(name)
    if not value:
        raise BrokenEnvelope(f"attribute {name.removeprefix('ce_')} is missing")
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise BrokenEnvelope(f"attribute {name.removeprefix('ce_')} is not UTF-8") from None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(lifecycle.AuditEvent)


def audit_record(event: lifecycle.AuditEvent) -> Record:
    """Return an audit event as a record of `notifications.audit`, keyed by its notification."""
    envelope = Envelope(id=event.id, type=event.type, time=event.time, schema=lifecycle.SCHEMA)
    key = event.notification_id or event.id
    try:
        value = _encoder.encode(event)
    except UnicodeEncodeError:
        # Half a surrogate pair in a provider's text. That something happened must be told all the same.
        value = _LONE_SURROGATE.sub("\\\\ufffd", json.dumps(msgspec.to_builtins(event))).encode()
    return Record(topic=topics.AUDIT, key=key.encode(), value=value, headers=write(envelope))


def audit_event(body: bytes) -> lifecycle.AuditEvent:
    """Return the event in a record of `notifications.audit`. Raises ValueError or RecursionError if there is none."""
    return _decoder.decode(body)
