"""The messages of a topic of events, as the AsyncAPI document has them."""

from collections.abc import Mapping
from typing import Any

from producer import cloudevents
from producer.rules import docs

_NAMES = ("specversion", "id", "source", "type")
_TYPE = {"type": "string"}
_KEY = {"type": "string", "description": "Yours to choose. It has no meaning here, and need not be text."}


def messages(binding: str) -> Mapping[str, Any]:
    """Return the messages by name: of any record, exactly one is true. `binding` is the version of Kafka's binding."""
    headers = {f"{cloudevents.PREFIX}{name}": docs.EVENT["properties"][name] for name in _NAMES}
    example = {name: value for name, value in docs.EXAMPLE.items() if name != "data"}
    return {
        "binaryEvent": {
            **_message("A business event in binary mode", cloudevents.JSON, binding),
            "headers": {"type": "object", "required": list(headers), "properties": {**headers, "content-type": _TYPE}},
            "payload": {"description": "The data: anything that JSON can say."},
            "examples": [
                {
                    "headers": {cloudevents.PREFIX + name: value for name, value in example.items()},
                    "payload": docs.EXAMPLE["data"],
                }
            ],
        },
        "structuredEvent": {
            **_message("A business event in structured mode", cloudevents.STRUCTURED, binding),
            "headers": {
                "type": "object",
                "required": ["content-type"],
                "properties": {
                    "content-type": {"type": "string", "pattern": "^application/cloudevents\\+json *(;.*)?$"}
                },
            },
            "payload": docs.EVENT,
            "examples": [{"headers": {"content-type": cloudevents.STRUCTURED}, "payload": docs.EXAMPLE}],
        },
    }


def _message(title: str, content_type: str, binding: str) -> dict[str, Any]:
    return {
        "title": title,
        "contentType": content_type,
        "bindings": {"kafka": {"key": _KEY, "bindingVersion": binding}},
    }
