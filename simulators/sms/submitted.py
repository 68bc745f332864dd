"""How a fault is submitted. The schema is what the API documents, and what words the mistakes."""

from collections.abc import Mapping
from typing import Any

EXAMPLE: Mapping[str, Any] = {"recipients": "+1202555*", "status": 429, "retry_after_seconds": 30, "times": 3}


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a submitted fault."""
    receipt = {
        "type": "object",
        "required": ["status"],
        "additionalProperties": False,
        "properties": {
            "status": {"type": "string", "minLength": 1, "maxLength": 32},
            "code": {"type": "integer", "minimum": 0, "maximum": 99999},
        },
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "recipients": {
                "type": ["string", "array"],
                "minLength": 1,
                "minItems": 1,
                "items": {"type": "string", "minLength": 1},
                "description": "a number or a glob pattern, or a list of them; everybody, if left out",
            },
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "code": {"type": "integer", "minimum": 1, "maximum": 99999},
            "text": {"type": "string", "maxLength": 400},
            "retry_after_seconds": {"type": "integer", "minimum": 0, "maximum": 1000000},
            "retry_after_as_date": {"type": "boolean"},
            "partly": {"type": "boolean"},
            "drop": {"type": "boolean"},
            "delay_seconds": {"type": "number", "minimum": 0, "maximum": 3600},
            "receipts": {"type": "array", "maxItems": 20, "items": receipt},
            "times": {"type": "integer", "minimum": 1},
        },
    }
