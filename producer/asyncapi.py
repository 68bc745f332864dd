"""The AsyncAPI 3 document of what is public on the log: `notifications.requests` in, `notifications.audit` out.

Composed of the same schemas that records are checked against, so it says what is true for the installed channels.
`schemas/asyncapi.json` is this document for the channels that Tocsin ships with: `python -m producer.asyncapi` prints
it, and a test compares the two.
Payloads are in AsyncAPI's own schema format, a superset of JSON Schema draft 07: our schemas keep to what that has.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from producer import cloudevents, examples, request
from producer.rules import messages as rules
from producer.schema import composed
from tocsin import lifecycle, schemas, topics
from tocsin.lifecycle import Event
from tocsin.runtime import discover

# Of this contract. A new type of event or a new member is a minor version; what breaks readers would be a major one.
VERSION = "1.1.0"

_BINDING = "0.5.0"
_TEXT = {"type": "string"}
_IDENTIFIER = {"type": "string", "minLength": 1}
_JSON_TYPE = {"type": "string", "pattern": "^application/json *(;.*)?$"}
_REQUEST_KEY = "Yours to choose, such as the recipient's id. It has no meaning here, and need not be text."
_AUDIT_KEY = "The notification's id, `ntf_…`; of an event without one, the event's id, `evt_…`."
_DESCRIPTION = """\
Submit notifications to Tocsin and learn what became of them, over Kafka.

Readers of `notifications.audit` must ignore types of events and members that they do not know: a minor version of
this contract may add some. The same event may come twice; it then has the same id. Do not rely on their order.
"""
_REQUESTS = """\
The body of `POST /v1/notifications`, bare or as the data of a CloudEvent. Whoever may write here may submit, for the
tenant `default`. Any key: no order is promised between notifications. What cannot be taken becomes a dead letter and
an event `tocsin.request.refused`.
"""
_EVENTS = """\
Business events, as CloudEvents of any type, of which the rules of this installation make notifications. An event that a
rule is for and cannot use becomes a dead letter and an event `tocsin.request.refused` that names the rule.
"""
_AUDIT = """\
Every change of state, from every service, as CloudEvents in binary mode: at least once. What belongs to a notification
has its id as the key, so all of it is in one partition; other events have their own id.
"""


def document(notification: Mapping[str, Any], *, events: Sequence[str] = ()) -> dict[str, Any]:
    """Return the document. `notification` is the composed schema of a submitted one, `events` are topics of events."""
    found = _document(notification)
    if events:
        messages = rules.messages(_BINDING)
        found["channels"].update({name: _channel(name, "Business events", _EVENTS, messages) for name in events})
        found["operations"].update({f"takeEvent.{name}": _taking(name, messages) for name in events})
        found["components"]["messages"].update(messages)
    return found


def _taking(topic: str, messages: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **_operation("receive", topic, messages),
        "summary": "A business event that rules may be for.",
        "bindings": {"kafka": {"groupId": {"const": topics.rules_group()}, "bindingVersion": _BINDING}},
    }


def _document(notification: Mapping[str, Any]) -> dict[str, Any]:
    requests = _requests()
    events = {event.value: _event(event) for event in Event}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Tocsin", "version": VERSION, "description": _DESCRIPTION},
        "defaultContentType": "application/json",
        "servers": {"kafka": _server()},
        "channels": {
            "requests": _channel(topics.REQUESTS, "Requests for notifications", _REQUESTS, requests),
            "audit": _channel(topics.AUDIT, "What became of them", _AUDIT, events),
        },
        "operations": {
            "takeRequest": {
                **_operation("receive", "requests", requests),
                "summary": "A notification is asked for.",
                "bindings": {
                    "kafka": {"groupId": {"const": topics.intake_group()}, "bindingVersion": _BINDING},
                },
            },
            "tellEvent": {**_operation("send", "audit", events), "summary": "Something happened."},
        },
        "components": {
            "messages": {**requests, **events},
            "schemas": _schemas(notification),
        },
    }


def shipped() -> dict[str, Any]:
    """Return the document for the channels that are installed."""
    return document(composed(schemas.document("notification"), discover.channels().values()))


def text(found: Mapping[str, Any]) -> str:
    """Return a document as it is checked in."""
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def _server() -> dict[str, Any]:
    variable = {"default": "localhost:9092", "description": "kafka.bootstrap_servers of the installation."}
    return {"host": "{bootstrap}", "protocol": "kafka", "variables": {"bootstrap": variable}}


def _channel(topic: str, title: str, description: str, messages: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "address": topic,
        "title": title,
        "description": description,
        "messages": {name: _ref("messages", name) for name in messages},
        "bindings": {
            "kafka": {
                "topic": topic,
                "topicConfiguration": {"cleanup.policy": ["delete"]},
                "bindingVersion": _BINDING,
            }
        },
    }


def _operation(action: str, channel: str, messages: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in messages],
    }


def _requests() -> dict[str, Any]:
    """Return the messages of the way in: of any record, exactly one of them is true."""
    binary = {"ce_specversion": "1.0", "ce_id": "1001", "ce_source": "/shop/orders", "ce_type": cloudevents.TYPE}
    structured = {name.removeprefix(cloudevents.PREFIX): value for name, value in binary.items()}
    structured_type = f"{cloudevents.STRUCTURED}; charset=utf-8"
    return {
        "bareRequest": {
            **_message("A notification, as it is", _REQUEST_KEY),
            "headers": _ref("schemas", "bareHeaders"),
            "payload": _ref("schemas", "notification"),
            "examples": [
                {"name": "template", "headers": {request.KEY: "order-1001"}, "payload": examples.TEMPLATE},
                {"name": "content", "headers": {}, "payload": examples.CONTENT},
            ],
        },
        "binaryRequest": {
            **_message("A notification as a CloudEvent in binary mode", _REQUEST_KEY),
            "headers": _ref("schemas", "binaryHeaders"),
            "payload": _ref("schemas", "notification"),
            "examples": [
                {"headers": {**binary, "content-type": cloudevents.JSON}, "payload": examples.TEMPLATE},
            ],
        },
        "structuredRequest": {
            **_message("A notification as a CloudEvent in structured mode", _REQUEST_KEY),
            "contentType": cloudevents.STRUCTURED,
            "headers": _ref("schemas", "structuredHeaders"),
            "payload": _ref("schemas", "structuredEvent"),
            "examples": [
                {"headers": {"content-type": structured_type}, "payload": {**structured, "data": examples.TEMPLATE}},
            ],
        },
    }


def _event(event: Event) -> dict[str, Any]:
    """Return the message of one type of event."""
    payload = {"type": "object", "properties": {"type": {"const": event.value}, "data": _ref("schemas", event.value)}}
    headers = {"type": "object", "properties": {"ce_type": {"const": event.value}}}
    return {
        **_message(_told(event)["description"], _AUDIT_KEY),
        "name": event.value,
        "headers": {"allOf": [_ref("schemas", "auditHeaders"), headers]},
        "payload": {"allOf": [_ref("schemas", "auditEvent"), payload]},
    }


def _message(title: str, key: str) -> dict[str, Any]:
    # The key's schema stands here in full: to AsyncAPI's schema, a reference there would be two things.
    bindings = {"kafka": {"key": {**_TEXT, "description": key}, "bindingVersion": _BINDING}}
    return {"title": title, "contentType": cloudevents.JSON, "bindings": bindings}


def _schemas(notification: Mapping[str, Any]) -> dict[str, Any]:
    members = notification["properties"]
    bare = {name: schema for name, schema in members.items() if name != "idempotency_key"}
    return {
        "notification": {**_embedded(notification), "properties": bare},
        "structuredEvent": _structured_event(),
        "bareHeaders": {
            "type": "object",
            "description": "A record without any header `ce_…` is bare.",
            "propertyNames": {"not": {"pattern": f"^{cloudevents.PREFIX}"}},
            "properties": {
                request.KEY: {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 255,
                    "description": "A repeat with the same key is the same notification, also over HTTP. "
                    "Without it, every record is a notification of its own.",
                },
                "content-type": _JSON_TYPE,
            },
        },
        "binaryHeaders": {
            "type": "object",
            "required": ["ce_specversion", "ce_id", "ce_source", "ce_type"],
            "properties": {
                **{cloudevents.PREFIX + name: schema for name, schema in _attributes().items()},
                "content-type": _JSON_TYPE,
            },
        },
        "structuredHeaders": {
            "type": "object",
            "required": ["content-type"],
            "properties": {"content-type": {"type": "string", "pattern": "^application/cloudevents\\+json *(;.*)?$"}},
        },
        "auditHeaders": _audit_headers(),
        "auditEvent": _embedded(schemas.document("audit-event")),
        **{event.value: _told(event) for event in Event},
    }


def _structured_event() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["specversion", "id", "source", "type", "data"],
        "properties": {
            **_attributes(),
            "datacontenttype": _JSON_TYPE,
            "data": _ref("schemas", "notification"),
        },
    }


def _attributes() -> dict[str, Any]:
    """Return the attributes of a CloudEvent that are looked at; others may be there."""
    return {
        "specversion": {"const": cloudevents.SPEC_VERSION},
        "id": {**_IDENTIFIER, "description": "With the source, it is the idempotency key."},
        "source": _IDENTIFIER,
        "type": {"const": cloudevents.TYPE},
        "dataschema": {"const": cloudevents.SCHEMA},
    }


def _audit_headers() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_dataschema", "content-type"],
        "properties": {
            "ce_specversion": {"const": cloudevents.SPEC_VERSION},
            "ce_id": {**_IDENTIFIER, "description": "The event's id, as in its body: told twice, it is the same."},
            "ce_source": _IDENTIFIER,
            "ce_type": _IDENTIFIER,
            "ce_time": _TEXT,
            "ce_dataschema": {"const": lifecycle.SCHEMA},
            "content-type": {"const": cloudevents.JSON},
            "traceparent": _TEXT,
        },
    }


def _told(event: Event) -> dict[str, Any]:
    """Return the schema of an event's data."""
    found: dict[str, Any] = schemas.document("audit-event")["$defs"][event.value]
    return found


def _embedded(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in schema.items() if name not in {"$schema", "$id", "$defs"}}


def _ref(kind: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{kind}/{name}"}


if __name__ == "__main__":
    sys.stdout.write(text(shipped()))
