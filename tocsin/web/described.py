"""Answers as the OpenAPI describes them, for handlers that return what they have encoded themselves."""

from collections.abc import Mapping
from typing import Any

Described = Mapping[str, Any]

TEXT: Described = {"type": "string"}
MAYBE_TEXT: Described = {"type": ["string", "null"]}
NUMBER: Described = {"type": "integer"}
MAYBE_NUMBER: Described = {"type": ["integer", "null"]}
MOMENT: Described = {"type": "string", "format": "date-time"}
MAYBE_MOMENT: Described = {"type": ["string", "null"], "format": "date-time"}
FLAG: Described = {"type": "boolean"}


def record(members: Mapping[str, Described], *, optional: Mapping[str, Described] | None = None) -> dict[str, Any]:
    """Return the schema of an object that has all of these members, and may have the optional ones."""
    return {"type": "object", "required": list(members), "properties": {**members, **(optional or {})}}


def listed(items: Described) -> dict[str, Any]:
    """Return the schema of a list."""
    return {"type": "array", "items": items}


def page(items: Described) -> dict[str, Any]:
    """Return the schema of a page of a list."""
    return record({"items": listed(items), "next_cursor": MAYBE_TEXT})


def answer(description: str, schema: Described, example: Mapping[str, Any]) -> dict[str, Any]:
    """Return an answer in JSON."""
    return {"description": description, "content": {"application/json": {"schema": schema, "example": example}}}
