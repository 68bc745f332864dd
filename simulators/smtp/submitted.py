"""How a fault is submitted. The schema is what the API documents, and what words the mistakes."""

from collections.abc import Mapping
from typing import Any

from simulators.smtp.faults import PHASES

EXAMPLE: Mapping[str, Any] = {
    "recipients": "*@slow.example",
    "phase": "body",
    "reply": {"code": 451, "enhanced": "4.7.0", "text": "Try again later"},
    "delay_seconds": 1.5,
    "times": 3,
}


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a submitted fault."""
    return {
        "type": "object",
        "required": ["phase"],
        "additionalProperties": False,
        "properties": {
            "recipients": {
                "type": ["string", "array"],
                "minLength": 1,
                "minItems": 1,
                "items": {"type": "string", "minLength": 1},
                "description": "an address or a glob pattern, or a list of them; everybody, if left out",
            },
            "phase": {"type": "string", "enum": list(PHASES)},
            "reply": _reply(),
            "delay_seconds": {"type": "number", "minimum": 0, "maximum": 3600},
            "drop": {"type": "boolean"},
            "greylist": {"type": "boolean"},
            "times": {"type": "integer", "minimum": 1},
        },
    }


def _reply() -> dict[str, Any]:
    # The text ends up in one line on the wire: a line end in it would be a second reply.
    return {
        "type": "object",
        "required": ["code", "enhanced", "text"],
        "additionalProperties": False,
        "properties": {
            "code": {"type": "integer", "minimum": 400, "maximum": 599},
            "enhanced": {
                "type": "string",
                "pattern": r"^[45]\.[0-9]{1,3}\.[0-9]{1,3}$",
                "x-detail": "must be an enhanced status code such as 4.7.1",
            },
            "text": {
                "type": "string",
                "minLength": 1,
                "maxLength": 400,
                "not": {"pattern": "[^ -~]"},
                "x-detail": "must be one line of printable ASCII",
            },
        },
    }
