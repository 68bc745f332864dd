"""Completes a notification with what is registered for its recipient, on channels that keep such a register.

The document itself stays what the client sent: it is what the schema judges and what an idempotency key stands for.
"""

from collections.abc import Mapping
from typing import Any

from tocsin.runtime.service import Lookup


async def completed(document: Any, tenant: str, lookups: Mapping[str, Lookup]) -> Any:
    """Return the document, or a copy whose `recipient` has more. It is anything that JSON can say, checked by nobody.

    May raise StoreUnavailable.
    """
    for channel, lookup in lookups.items():
        recipient = _unreached(document, channel)
        if recipient is not None and (found := await lookup(tenant, recipient["id"])):
            document = {**document, "recipient": {**recipient, channel: found}}
    return document


def _unreached(document: Any, channel: str) -> Mapping[str, Any] | None:
    """Return the recipient that the channel is asked for with an id alone, None if there is none such."""
    if not isinstance(document, dict):
        return None
    channels, recipient = document.get("channels"), document.get("recipient")
    if not isinstance(channels, list) or channel not in channels or not isinstance(recipient, dict):
        return None
    return recipient if channel not in recipient and isinstance(recipient.get("id"), str) else None
