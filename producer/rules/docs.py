"""What `/docs` shows of `POST /v1/events`: the three modes, and examples that work with the example rules."""

from typing import Any

from producer import cloudevents
from producer.rules.http import BATCHED
from tocsin.web.described import TEXT, answer, listed, record

_ATTRIBUTE = {"type": "string", "minLength": 1, "description": "Text without control characters."}
EVENT: dict[str, Any] = {
    "type": "object",
    "required": ["specversion", "id", "source", "type"],
    "properties": {
        "specversion": {"const": cloudevents.SPEC_VERSION},
        "id": {**_ATTRIBUTE, "description": "With the source, what makes the event one of its kind."},
        "source": _ATTRIBUTE,
        "type": _ATTRIBUTE,
        "subject": _ATTRIBUTE,
        "time": _ATTRIBUTE,
        "datacontenttype": _ATTRIBUTE,
        "data": {"description": "Anything that JSON can say."},
    },
}
EXAMPLE: dict[str, Any] = {
    "specversion": "1.0",
    "id": "1001-placed",
    "source": "/shop/orders",
    "type": "OrderPlaced",
    "subject": "1001",
    "data": {
        "order_id": "1001",
        "customer": {"id": "cust-42", "email": "ada@example.test", "phone": None, "locale": "de"},
        "items": [{"name": "keyboard", "quantity": 1}],
        "amount_cents": 4900,
    },
}
_BINARY = [
    {
        "name": f"ce-{name}",
        "in": "header",
        "required": False,
        "schema": TEXT,
        "description": "In binary mode: the attribute, percent-encoded where it is not plain ASCII.",
        "example": EXAMPLE[name],
    }
    for name in ("specversion", "id", "source", "type", "subject")
]

REQUEST: dict[str, Any] = {
    "parameters": _BINARY,
    "requestBody": {
        "required": False,
        "content": {
            cloudevents.STRUCTURED: {"schema": EVENT, "examples": {"structured": {"value": EXAMPLE}}},
            BATCHED: {
                "schema": {"type": "array", "maxItems": 1000, "items": EVENT},
                "examples": {"batch": {"value": [EXAMPLE]}},
            },
            cloudevents.JSON: {
                "schema": {"description": "The data; its attributes are in the headers."},
                "examples": {"binary": {"value": EXAMPLE["data"]}},
            },
        },
    },
}

_IDENTITY = record({"source": TEXT, "id": TEXT})
_MADE = record({"rule": TEXT, "id": TEXT}, optional={"state": {"const": "accepted"}, "repeated": {"const": True}})
_TAKEN = record({"event": _IDENTITY, "notifications": listed(_MADE)})
_ANSWER = {
    "event": {"source": "/shop/orders", "id": "1001-placed"},
    "notifications": [{"rule": "order-confirmation", "id": "ntf_01m7z77eghj90ssyrw6dqrsw9x", "state": "accepted"}],
}
_REFUSED = record({"type": TEXT, "title": TEXT, "status": {"type": "integer", "minimum": 400}, "detail": TEXT})
_WRONG = {"rule": "order-confirmation", "pointer": "/recipient/email", "detail": "is required for the channel email"}
_REFUSAL = {
    "type": "urn:tocsin:problem:event-unusable",
    "title": "Event unusable",
    "status": 422,
    "detail": "The rule order-confirmation cannot use the event: /recipient/email is required for the channel email",
    "event": {"source": "/shop/orders", "id": "1001-placed"},
    "notifications": [],
    "errors": [_WRONG],
}
_RESULTS = record({"results": listed({"oneOf": [record({"status": {"const": 202}}), _REFUSED]})})

ANSWERS: dict[int | str, dict[str, Any]] = {
    202: answer(
        "Durable: what the rules made of it, nothing where none is for it. Of a batch, `results` has it for each.",
        {"anyOf": [_TAKEN, _RESULTS]},
        _ANSWER,
    ),
    207: answer(
        "Of a batch: some events could not be used; `results` says which, in order.",
        _RESULTS,
        {"results": [{"status": 202, **_ANSWER}, _REFUSAL]},
    ),
    422: {
        "description": "It is no event, or a rule that is for it cannot use it. What other rules made of it stands.",
        "content": {"application/problem+json": {"schema": _REFUSED, "example": _REFUSAL}},
    },
}
