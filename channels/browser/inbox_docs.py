"""What `/docs` shows of the routes of inboxes, and the schemas that bodies are checked against."""

from typing import Any

from starlette.responses import Response

from tocsin.web.described import MAYBE_MOMENT, MAYBE_TEXT, MOMENT, NUMBER, TEXT, answer, listed, record

_TICKET = "WyJkZWZhdWx0IiwiY3VzdC00MiIsMTc3MjM2NjQwMDAwMF0.3lSYK1Vt2s0n0yZJm2m9Y1cFqg8sXoR3rT5i7vX2c4E"
_MESSAGE: dict[str, Any] = {
    "id": 7,
    "notification_id": "ntf_01m7z77eghj90ssyrw6dqrsw9x",
    "category": "orders",
    "title": "Your parcel",
    "body": "It comes today",
    "url": "/parcels/7",
    "icon": None,
    "data": {"parcel": 7},
    "created_at": "2026-03-01T12:00:00.000Z",
    "read_at": None,
}
_MOST_IDS = 1000
_NEXT = "kQc"


class Described(Response):
    """What an answer is for the OpenAPI: FastAPI takes its own class for events to be made by a generator."""

    media_type = "text/event-stream"


def wanted_ticket() -> dict[str, Any]:
    """Return the schema of the body that asks for a ticket."""
    recipient = {
        "type": "string",
        "minLength": 1,
        "maxLength": 256,
        "description": "Your own id of the person who is signed in, as `recipient.id` of a notification has it.",
    }
    return _closed({"recipient_id": recipient})


def wanted_read() -> dict[str, Any]:
    """Return the schema of the body that acknowledges messages."""
    number = {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}
    numbers = {"type": "array", "minItems": 1, "maxItems": _MOST_IDS, "items": number}
    return _closed({"ids": {**numbers, "description": "The `id`s of messages of this inbox."}})


def ticket() -> dict[str, Any]:
    """Return what is shown of making a ticket."""
    view = record({"ticket": TEXT, "recipient_id": TEXT, "expires_at": MOMENT})
    example = {"ticket": _TICKET, "recipient_id": "cust-42", "expires_at": "2026-03-01T12:10:00.000Z"}
    return {
        "summary": "Make a ticket that opens a recipient's inbox for a while",
        "openapi_extra": _body(wanted_ticket(), {"recipient_id": "cust-42"}),
        "responses": {201: answer("The ticket, for the person's page", view, example)},
    }


def events() -> dict[str, Any]:
    """Return what is shown of the events."""
    text = 'id: 7\nevent: message\ndata: {"id":7,"title":"Your parcel", …}\n\n'
    content = {Described.media_type: {"schema": TEXT, "example": text}}
    return {
        "summary": "What comes into an inbox, as Server-Sent Events",
        "response_class": Described,
        "responses": {200: {"description": "Events, until the ticket expires", "content": content}},
    }


def messages() -> dict[str, Any]:
    """Return what is shown of the list."""
    names = ("notification_id", "category", "title", "body")
    maybe = {"url": MAYBE_TEXT, "icon": MAYBE_TEXT, "data": {"type": ["object", "null"]}}
    item = record({"id": NUMBER, **dict.fromkeys(names, TEXT), **maybe, "created_at": MOMENT, "read_at": MAYBE_MOMENT})
    view = record({"items": listed(item), "next_cursor": MAYBE_TEXT, "newest": NUMBER, "unread": NUMBER})
    example = {"items": [_MESSAGE], "next_cursor": _NEXT, "newest": 7, "unread": 1}
    return {
        "summary": "What is in an inbox, newest first",
        "responses": {200: answer("A page of messages, and how the whole inbox stands", view, example)},
    }


def read() -> dict[str, Any]:
    """Return what is shown of the acknowledgement."""
    return {
        "summary": "Acknowledge messages as read",
        "openapi_extra": _body(wanted_read(), {"ids": [7]}),
        "responses": {204: {"description": "They are read"}},
    }


def _closed(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(properties),
        "additionalProperties": False,
        "properties": properties,
    }


def _body(schema: dict[str, Any], example: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}}
