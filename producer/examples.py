"""What `/docs` shows of the submit routes: the schema itself, and examples that work."""

from collections.abc import Mapping
from typing import Any

from tocsin.web.described import TEXT, answer, listed, record

TEMPLATE = {
    "recipient": {"id": "cust-42", "email": "ada@example.test", "locale": "de"},
    "channels": ["email"],
    "template": "order-confirmation",
    "data": {"order": "1001", "items": [{"name": "keyboard", "quantity": 1}]},
    "lane": "normal",
    "category": "orders",
    "expires_in": 86400,
    "metadata": {"order_id": "1001"},
}
CONTENT = {
    "recipient": {"email": "ada@example.test"},
    "channels": ["email"],
    "content": {"email": {"subject": "Your parcel is on its way", "text": "It arrives tomorrow."}},
}
_ANSWER = {
    "id": "ntf_01m7z77eghj90ssyrw6dqrsw9x",
    "deliveries": [{"id": "dlv_01m7z77eghvjzzy9x7dbaqsxt6", "channel": "email", "state": "accepted"}],
}
_KEY_HEADER = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "A repeat with the same key and body within 24 h gets the first answer, and sends nothing again.",
}


_MEMBERS = {"id": TEXT, "deliveries": listed(record({"id": TEXT, "channel": TEXT, "state": {"const": "accepted"}}))}
# There in the answer to a test key only.
_OF_TESTS = {"test": {"const": True}}
_TAKEN = record({"status": {"const": 202}, **_MEMBERS}, optional=_OF_TESTS)
_REFUSED = record({"type": TEXT, "title": TEXT, "status": {"type": "integer", "minimum": 400}, "detail": TEXT})
_REFUSAL = {
    "type": "urn:tocsin:problem:invalid",
    "title": "The request is not valid",
    "status": 422,
    "detail": "/recipient/email is required for the channel email",
    "errors": [{"pointer": "/recipient/email", "detail": "is required for the channel email"}],
}

SINGLE_ANSWERS: dict[int | str, dict[str, Any]] = {
    202: answer("Durable: it will not be lost.", record(_MEMBERS, optional=_OF_TESTS), _ANSWER)
}
BATCH_ANSWERS: dict[int | str, dict[str, Any]] = {
    202: answer(
        "All of them are durable.", record({"results": listed(_TAKEN)}), {"results": [{"status": 202, **_ANSWER}]}
    ),
    207: answer(
        "Some are durable, some were refused; `results` says which, in order.",
        record({"results": listed({"oneOf": [_TAKEN, _REFUSED]})}),
        {"results": [{"status": 202, **_ANSWER}, _REFUSAL]},
    ),
}


def single(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the OpenAPI of one submit. The batch's key for an item has no place here."""
    bare = _embedded(schema)
    bare["properties"] = {name: each for name, each in bare["properties"].items() if name != "idempotency_key"}
    examples = {"template": {"value": TEMPLATE}, "content": {"value": CONTENT}}
    return {"parameters": [_KEY_HEADER], "requestBody": _body(bare, examples)}


def batch(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the OpenAPI of a batch."""
    items = {"type": "array", "minItems": 1, "maxItems": 1000, "items": _embedded(schema)}
    whole = {
        "type": "object",
        "required": ["notifications"],
        "additionalProperties": False,
        "properties": {"notifications": items},
    }
    value = {"notifications": [{**TEMPLATE, "idempotency_key": "order-1001"}, CONTENT]}
    return {"requestBody": _body(whole, {"batch": {"value": value}})}


def _embedded(schema: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in schema.items() if name not in ("$schema", "$id")}


def _body(schema: Mapping[str, Any], examples: Mapping[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": schema, "examples": examples}}}
