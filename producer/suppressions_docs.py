"""What `/docs` shows of the suppression routes, and the schema that the body of a new one is checked against."""

from typing import Any

from tocsin.store.suppressions import REASONS
from tocsin.web.described import MAYBE_MOMENT, MAYBE_TEXT, MOMENT, TEXT, answer, page, record

MOST_ADDRESS = 4096
# As in a notification.
MOST_CATEGORY = 64

_SUPPRESSION: dict[str, Any] = {
    "id": "sup_8k1m7z77eghvjzzy9x7dbaqsxt",
    "channel": "email",
    "address": "ada@example.test",
    "category": None,
    "reason": "hard_bounce",
    "source": "smtp",
    "added_at": "2026-03-01T12:00:00.000Z",
    "expires_at": None,
    "lifted_at": None,
}
_ADDED: dict[str, Any] = {**_SUPPRESSION, "reason": "manual", "source": "support-desk"}
_LIFTED: dict[str, Any] = {**_SUPPRESSION, "lifted_at": "2026-03-02T12:00:00.000Z"}

WANTED: dict[str, Any] = {
    "type": "object",
    "required": ["channel", "address"],
    "additionalProperties": False,
    "properties": {
        "channel": {"type": "string", "minLength": 1, "maxLength": 64},
        "address": {
            "type": "string",
            "minLength": 1,
            "maxLength": MOST_ADDRESS,
            "description": "As a notification has it, or as the audit tells it.",
        },
        "category": {
            "type": "string",
            "minLength": 1,
            "maxLength": MOST_CATEGORY,
            "description": "The only one to hold back; without it, everything.",
        },
        "reason": {"type": "string", "enum": list(REASONS), "description": "`manual` unless it says otherwise."},
        "expires_at": {
            "type": "string",
            "maxLength": 40,
            "description": "Until when, as an RFC 3339 time; without it, for good.",
        },
    },
}

_VIEW = {
    **dict.fromkeys(("id", "channel", "address", "reason", "source"), TEXT),
    "category": MAYBE_TEXT,
    "added_at": MOMENT,
    "expires_at": MAYBE_MOMENT,
    "lifted_at": MAYBE_MOMENT,
}

LIST: dict[str, Any] = {
    "summary": "List suppressed addresses, newest first",
    "responses": {
        200: answer("A page, newest first", page(record(_VIEW)), {"items": [_SUPPRESSION], "next_cursor": None})
    },
}
ADD: dict[str, Any] = {
    "summary": "Send nothing more to an address",
    "openapi_extra": {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": WANTED,
                    "example": {"channel": "email", "address": "ada@example.test", "reason": "manual"},
                }
            },
        }
    },
    "responses": {
        200: answer("It was suppressed before, and stays as it was", record(_VIEW), _SUPPRESSION),
        201: answer("It is suppressed", record(_VIEW), _ADDED),
    },
}
LIFT: dict[str, Any] = {
    "summary": "Use an address again",
    "responses": {200: answer("It is lifted", record(_VIEW), _LIFTED)},
}
LIFT_BY_ADDRESS: dict[str, Any] = {**LIFT, "summary": "Use an address again, by its channel and itself"}
