"""The packaged JSON Schemas, compiled. They lie in `schemas/`, which is data only."""

import json
from importlib import resources
from typing import Any

from tocsin.validation import Schema


def document(name: str) -> dict[str, Any]:
    """Return a packaged schema as JSON, a new copy each time: `delivery`, `notification` or `audit-event`."""
    text = resources.files("schemas").joinpath(f"{name}.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def load(name: str) -> Schema:
    """Return a packaged schema, compiled."""
    return Schema(document(name))
