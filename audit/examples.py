"""What the answers look like, for `/docs`."""

from typing import Any

_NOTIFICATION = "ntf_01kafw3m2r8d5v7x0q4t6y9b1c"
_DELIVERY = "dlv_01kafw3m2rn4h6j8k2m0p3s5v7"

_LINE: dict[str, Any] = {
    "id": _NOTIFICATION,
    "state": "delivered",
    "recipient": {"id": "cust-42", "locale": "de"},
    "channels": ["email"],
    "category": "orders",
    "lane": "normal",
    "template": {"name": "order-confirmation", "version": "9f2c51d07ab34e68"},
    "metadata": {"order_id": "1001"},
    "accepted_at": "2026-11-20T09:30:00.120Z",
    "expires_at": "2026-11-21T09:30:00.120Z",
    "test": False,
}
_ATTEMPTED = {
    "id": "evt_01kafw3m2r1a3c5e7g9j2m4p6r",
    "type": "tocsin.delivery.attempted",
    "time": "2026-11-20T09:30:00.164Z",
    "attempt": 1,
    "data": {
        "channel": "email",
        "provider": "smtp",
        "outcome": "delivered",
        "code": "250 2.0.0",
        "message": "Ok: queued as 4ABCD",
        "duration_ms": 12,
    },
}
_DELIVERED = {
    "id": "evt_01kafw3m2r8s0v2x4z6b8d1f3h",
    "type": "tocsin.delivery.delivered",
    "time": "2026-11-20T09:30:00.164Z",
    "attempt": 1,
    "data": {"channel": "email", "provider": "smtp", "provider_id": "4ABCD", "code": "250 2.0.0"},
}
_LIFE = {
    "life": 0,
    "state": "delivered",
    "attempts": 1,
    "reason": None,
    "code": "250 2.0.0",
    "started_at": "2026-11-20T09:30:00.120Z",
    "updated_at": "2026-11-20T09:30:00.164Z",
    "expires_at": "2026-11-21T09:30:00.120Z",
    "events": [_ATTEMPTED, _DELIVERED],
}

TIMELINE: dict[str, Any] = {
    **_LINE,
    "partial": False,
    "deliveries": [
        {"id": _DELIVERY, "channel": "email", "address": "ada@example.test", "state": "delivered", "lives": [_LIFE]}
    ],
    "events": [],
}
PAGE: dict[str, Any] = {"notifications": [_LINE], "next_cursor": "2Rphbn…"}


def answer(description: str, example: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI of a 200 with an example."""
    return {200: {"description": description, "content": {"application/json": {"example": example}}}}
