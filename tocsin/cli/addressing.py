"""What `tocsin send` makes of an address: its channel, the recipient, and the names that the channel has for a text."""

import re
from collections.abc import Mapping

from tocsin.cli.failures import Misused

_NUMBER = re.compile(r"\+?[0-9][0-9 ()./-]*")
# The options of a message, and what each channel calls it.
_FIELDS: Mapping[str, Mapping[str, str]] = {
    "email": {"subject": "subject", "text": "text", "html": "html"},
    "sms": {"text": "text"},
    "push": {"subject": "title", "text": "body"},
    "browser": {"subject": "title", "text": "body"},
}


def channel(to: str, chosen: str | None) -> str:
    """Return the channel: the chosen one, else that of a number or a mail address. Raises Misused for one unknown."""
    if chosen is None:
        return "sms" if _NUMBER.fullmatch(to) else "email"
    if chosen not in _FIELDS:
        known = ", ".join(_FIELDS)
        raise Misused(f"--channel {chosen} is not one that takes a simple message: {known}; use --file for others")
    return chosen


def recipient(to: str, channel: str) -> dict[str, object]:
    """Return who is meant on a channel: on push `provider:token`, on browser the id of somebody who registered."""
    match channel:
        case "sms":
            return {"phone": to}
        case "push":
            provider, colon, token = to.partition(":")
            if not colon:
                raise Misused("On push, --to is a device: fcm:TOKEN or apns:TOKEN")
            return {"push": [{"provider": provider, "token": token}]}
        case "browser":
            return {"id": to}
    return {"email": to}


def content(given: Mapping[str, str], channel: str) -> dict[str, str]:
    """Return what was given, by the channel's own names. Raises Misused for what the channel has no place for."""
    fields = _FIELDS[channel]
    if strange := [name for name in given if name not in fields]:
        raise Misused(f"{channel} has no --{strange[0]}; leave it out")
    return {fields[name]: text for name, text in given.items()}
