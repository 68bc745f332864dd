"""An address as a person writes it → the form in which deliveries have it."""

from typing import Any

from tocsin.runtime.service import Channel
from tocsin.validation import Fault


def normal(channel: Channel[Any], text: str) -> str | Fault:
    """Return the address in its channel's normal form, or what is wrong with it (its pointer is empty).

    Where a recipient has several addresses of the channel, or such as are no text, there is no other form than the one
    that the audit tells.
    """
    single = [name for name, schema in channel.fragments()["recipient"].items() if schema.get("type") == "string"]
    if len(single) != 1:
        return text
    found = channel.addresses({single[0]: text})
    if isinstance(found, Fault):
        return Fault(pointer="", detail=found.detail)
    return found[0] if len(found) == 1 else text
