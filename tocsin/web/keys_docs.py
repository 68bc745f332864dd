"""What `/docs` shows of the key routes, and the schema that the body of a new key is checked against."""

from typing import Any

from tocsin.web.described import MAYBE_MOMENT, MOMENT, TEXT, answer, listed, page, record

_KEY: dict[str, Any] = {
    "id": "key_01m7z77eghvjzzy9x7dbaqsxt6",
    "name": "shop",
    "scopes": ["read", "submit"],
    "mode": "live",
    "created_at": "2026-03-01T12:00:00.000Z",
    "revoked_at": None,
}

WANTED: dict[str, Any] = {
    "type": "object",
    "required": ["name", "scopes"],
    "additionalProperties": False,
    "properties": {
        "name": {
            "type": "string",
            "minLength": 1,
            "maxLength": 64,
            "not": {"pattern": r"^\s|\s$|[\x00-\x1f\x7f-\x9f]"},
            "x-detail": "must not begin or end with white space, nor hold control characters",
            "description": "What it is for, such as the system that uses it.",
        },
        "scopes": {
            "type": "array",
            "minItems": 1,
            "maxItems": 4,
            "items": {"type": "string", "enum": ["submit", "read", "operate", "admin"]},
            "description": "What it may do; `admin` may do everything. A test key has `submit`, `read`, or both.",
        },
        "mode": {
            "enum": ["live", "test"],
            "default": "live",
            "description": "What a `test` key submits never reaches a provider.",
        },
    },
}


_VIEW = {
    "id": TEXT,
    "name": TEXT,
    "scopes": listed(TEXT),
    "mode": {"enum": ["live", "test"]},
    "created_at": MOMENT,
    "revoked_at": MAYBE_MOMENT,
}

_LAST: dict[str, Any] = {
    "type": "urn:tocsin:problem:last-admin-key",
    "title": "Last admin key",
    "status": 409,
    "detail": "This is the last key with the scope `admin`: nobody could make another. Make that first.",
}

CREATE: dict[str, Any] = {
    "summary": "Make a key",
    "openapi_extra": {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": WANTED, "example": {"name": "shop", "scopes": ["submit", "read"]}}
            },
        }
    },
    "responses": {
        201: answer("The key, shown this once", record({**_VIEW, "key": TEXT}), {**_KEY, "key": "tcs_" + "…" * 8})
    },
}
LIST: dict[str, Any] = {
    "summary": "List the keys, without the keys themselves",
    "responses": {200: answer("All keys, newest first", page(record(_VIEW)), {"items": [_KEY], "next_cursor": None})},
}
REVOKE: dict[str, Any] = {
    "summary": "Revoke a key",
    "responses": {
        200: answer("It is revoked", record(_VIEW), {**_KEY, "revoked_at": "2026-03-02T12:00:00.000Z"}),
        409: {
            "description": "It is the last one that may make others",
            "content": {"application/problem+json": {"example": _LAST}},
        },
    },
}
