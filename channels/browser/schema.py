"""What browser adds to the schema of a notification: subscriptions, and the content of what is shown."""

import json
from importlib import resources
from typing import Any


def fragments() -> dict[str, Any]:
    """Return `{"recipient": {name: schema}, "content": schema}`, JSON Schema 2020-12, a new copy each time."""
    text = resources.files(__package__).joinpath("schema.json").read_text(encoding="utf-8")
    fragments: dict[str, Any] = json.loads(text)
    return fragments
