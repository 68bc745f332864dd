"""The schema of a submitted notification: the common one, with what each channel adds to it."""

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from tocsin.runtime.service import Channel


def composed(base: Mapping[str, Any], channels: Iterable[Channel[Any]]) -> dict[str, Any]:
    """Return the schema with every channel's addresses in `recipient` and its own body in `content`."""
    schema = copy.deepcopy(dict(base))
    properties = schema["properties"]
    for channel in channels:
        fragments = channel.fragments()
        properties["channels"]["items"]["enum"].append(channel.name)
        properties["recipient"]["properties"].update(fragments["recipient"])
        properties["content"]["properties"][channel.name] = fragments["content"]
    return schema
