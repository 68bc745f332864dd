"""How dead letters look over HTTP: a line of a list, a whole letter with its payload, and the answer to a decision."""

import base64
from datetime import datetime
from typing import Any

import msgspec

from dlq.items import Item, Payload
from tocsin.clock import rfc3339


def summary(item: Item) -> dict[str, Any]:
    """Return a letter without its payload and its attempts."""
    return {
        "id": item.id,
        "state": item.state,
        "channel": item.channel,
        "reason": item.reason,
        "code": item.code,
        "message": item.message,
        "provider": item.provider,
        "attempts": item.attempts,
        "died_at": rfc3339(item.died_at),
        "notification_id": item.notification_id,
        "delivery_id": item.delivery_id,
        "life": item.life,
        "lane": item.lane,
        "category": item.category,
        "template": item.template,
        "replayable": item.replayable,
        "replay_life": item.replay_life,
        "replay_state": item.replay_state,
        "replayed_at": _moment(item.replayed_at),
        "replayed_by": item.replayed_by,
        "discarded_at": _moment(item.discarded_at),
        "discarded_by": item.discarded_by,
    }


def whole(item: Item, payload: Payload) -> dict[str, Any]:
    """Return all that is known of a letter. Of `body` and `body_base64`, the one that fits is there."""
    return {
        **summary(item),
        "tenant": item.tenant,
        "history": [msgspec.to_builtins(attempted) for attempted in item.history],
        "origin": item.origin._asdict(),
        "ingested_at": rfc3339(item.ingested_at),
        **_key(payload.key),
        "headers": [{"name": name, **_text("value", value)} for name, value in payload.headers],
        **_body(payload.value),
    }


def replay(item: Item) -> dict[str, Any]:
    """Return the answer to a replay: the life that it opened."""
    return {"id": item.id, "life": item.replay_life, "state": item.state}


def discard(item: Item) -> dict[str, Any]:
    """Return the answer to a discard."""
    return {"id": item.id, "state": item.state}


def _key(key: bytes | None) -> dict[str, Any]:
    return {"key": None} if key is None else _text("key", key)


def _text(name: str, value: bytes) -> dict[str, Any]:
    try:
        return {name: value.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(value).decode()}


def _body(value: bytes) -> dict[str, Any]:
    try:
        msgspec.json.decode(value)
    except (ValueError, RecursionError):
        return {"body_base64": base64.b64encode(value).decode()}
    # The very text, not what a decoder made of it: numbers keep their digits, and repeated keys stay in sight.
    return {"body": msgspec.Raw(value)}


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)
