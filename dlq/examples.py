"""What `/docs` shows of the dead-letter routes."""

from typing import Any

from tocsin.web.described import (
    FLAG,
    MAYBE_MOMENT,
    MAYBE_NUMBER,
    MAYBE_TEXT,
    MOMENT,
    NUMBER,
    TEXT,
    answer,
    listed,
    page,
    record,
)

_SUMMARY: dict[str, Any] = {
    "id": "dlt_01m7z77eghvjzzy9x7dbaqsxt6",
    "state": "replayed",
    "channel": "email",
    "reason": "rejected",
    "code": "550 5.1.1",
    "message": "No such mailbox here",
    "provider": "smtp",
    "attempts": 1,
    "died_at": "2026-03-01T12:00:00.000Z",
    "notification_id": "ntf_01m7z77eghj90ssyrw6dqrsw9x",
    "delivery_id": "dlv_01m7z77eghvjzzy9x7dbaqsxt6",
    "life": 0,
    "lane": "normal",
    "category": "orders",
    "template": "order-confirmation",
    "replayable": True,
    "replay_life": 1,
    "replay_state": "delivered",
    "replayed_at": "2026-03-01T13:00:00.000Z",
    "replayed_by": "key_01m7z77egh",
    "discarded_at": None,
    "discarded_by": None,
}
_WHOLE: dict[str, Any] = {
    **_SUMMARY,
    "tenant": "default",
    "history": [
        {
            "attempt": 1,
            "at": "2026-03-01T12:00:00Z",
            "outcome": "rejected",
            "provider": "smtp",
            "code": "550 5.1.1",
            "message": "No such mailbox here",
        }
    ],
    "origin": {"topic": "notifications.email", "partition": 3, "offset": 17},
    "ingested_at": "2026-03-01T12:00:00.120Z",
    "key": "5f2c9a0e1b3d4c6f8a7b9c0d",
    "headers": [
        {"name": "ce_type", "value": "tocsin.delivery"},
        {"name": "tocsin-life", "value": "0"},
        {"name": "tocsin-attempt", "value": "1"},
        {"name": "tocsin-reason", "value": "rejected"},
    ],
    "body": {"id": "dlv_01m7z77eghvjzzy9x7dbaqsxt6", "channel": "email", "address": "ada@example.test"},
}


_LINE = {
    **dict.fromkeys(("id", "state", "channel", "reason", "code", "message", "provider"), TEXT),
    **dict.fromkeys(("attempts", "life", "replay_life"), MAYBE_NUMBER),
    **dict.fromkeys(("notification_id", "delivery_id", "lane", "category", "template"), MAYBE_TEXT),
    **dict.fromkeys(("replay_state", "replayed_by", "discarded_by"), MAYBE_TEXT),
    **dict.fromkeys(("replayed_at", "discarded_at"), MAYBE_MOMENT),
    "died_at": MOMENT,
    "replayable": FLAG,
}
_LETTER = record(
    {
        **_LINE,
        "tenant": MAYBE_TEXT,
        "history": listed({"type": "object"}),
        "origin": record({"topic": TEXT, "partition": NUMBER, "offset": NUMBER}),
        "ingested_at": MOMENT,
        "headers": listed(record({"name": TEXT}, optional={"value": TEXT, "value_base64": TEXT})),
    },
    optional={"key": MAYBE_TEXT, "key_base64": TEXT, "body": {}, "body_base64": TEXT},
)


def _problem(description: str, slug: str, title: str, detail: str, **extra: Any) -> dict[str, Any]:
    example = {**extra, "type": f"urn:tocsin:problem:{slug}", "title": title, "status": 409, "detail": detail}
    return {"description": description, "content": {"application/problem+json": {"example": example}}}


_DECIDED = _problem(
    "Decided before, or not to be read: see `detail`",
    "already-decided",
    "Already decided",
    "This dead letter is already discarded.",
    id=_SUMMARY["id"],
    state="discarded",
)

LIST: dict[int | str, dict[str, Any]] = {
    200: answer("A page, newest first", page(record(_LINE)), {"items": [_SUMMARY], "next_cursor": None})
}
WHOLE: dict[int | str, dict[str, Any]] = {
    200: answer("The letter; `body_base64` in place of `body` where the payload is not JSON", _LETTER, _WHOLE)
}
REPLAY: dict[int | str, dict[str, Any]] = {
    202: answer(
        "The next life has begun",
        record({"id": TEXT, "life": NUMBER, "state": TEXT}),
        {"id": _SUMMARY["id"], "life": 1, "state": "replayed"},
    ),
    409: _DECIDED,
}
DISCARD: dict[int | str, dict[str, Any]] = {
    200: answer(
        "It will not be sent", record({"id": TEXT, "state": TEXT}), {"id": _SUMMARY["id"], "state": "discarded"}
    ),
    409: _DECIDED,
}
