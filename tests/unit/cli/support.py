"""A gateway that answers what a test tells it to, a world without waiting, and the command line in front of them."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx

from tocsin.cli.world import World

NOW = datetime(2030, 1, 1, 12, 0, 30, tzinfo=UTC)
KEY = "tcs_" + "k" * 43
NOTIFICATION = "ntf_01m7z77eghj90ssyrw6dqrsw9x"
DELIVERY = "dlv_01m7z77eghvjzzy9x7dbaqsxt6"
LETTER = "dlt_01m7z77eghvjzzy9x7dbaqsxt6"

Reply = httpx.Response | Exception


class FakeGateway:
    """Answers each request with the next reply that was prepared for it; the last one stays."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self._replies: dict[tuple[str, str], list[Reply]] = {}

    def on(self, method: str, path: str, *replies: Reply) -> None:
        self._replies[method, path] = list(replies)

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        replies = self._replies.get((request.method, request.url.raw_path.decode().partition("?")[0]))
        if replies is None:
            raise AssertionError(f"nobody prepared {request.method} {request.url}")
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        if isinstance(reply, Exception):
            raise reply
        return reply

    def last(self) -> httpx.Request:
        return self.requests[-1]

    def body(self) -> Any:
        return json.loads(self.last().content)


class Time:
    """Time that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.passed = 0.0

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.passed += seconds

    def monotonic(self) -> float:
        return self.passed


def world(gateway: FakeGateway, time: Time, environ: Mapping[str, str], can_ask: Callable[[], bool]) -> World:
    """Return a world in which only the fake gateway exists."""
    return World(
        environ=environ,
        transport=httpx.MockTransport(gateway.handle),
        now=lambda: NOW,
        monotonic=time.monotonic,
        sleep=time.sleep,
        token=lambda: "0" * 32,
        can_ask=can_ask,
    )


def answer(document: Any, status: int = 200, **headers: str) -> httpx.Response:
    """Return an answer in JSON."""
    return httpx.Response(
        status, json=document, headers={name.replace("_", "-"): each for name, each in headers.items()}
    )


def problem(status: int, detail: str, *errors: tuple[str, str]) -> httpx.Response:
    """Return a problem document."""
    listed = [{"pointer": pointer, "detail": each} for pointer, each in errors]
    document = {"type": "urn:tocsin:problem:x", "title": "The request is not valid", "status": status, "detail": detail}
    return httpx.Response(status, json={**document, "errors": listed} if listed else document)


def event(name: str, time: str, attempt: int | None = None, **data: Any) -> dict[str, Any]:
    """Return an event as the API gives it; `time` is of the day."""
    kind = f"tocsin.{name}"
    return {
        "id": f"evt_{kind}_{time}",
        "type": kind,
        "time": f"2030-01-01T{time}Z",
        "attempt": attempt,
        "data": {"channel": "email", **data},
    }


def attempted(number: int, time: str, outcome: str, code: str, message: str) -> dict[str, Any]:
    more = {"outcome": outcome, "code": code, "message": message, "provider": "smtp", "duration_ms": 12}
    return event("delivery.attempted", time, number, **more)


def life(number: int, state: str, *events: dict[str, Any], attempts: int = 1) -> dict[str, Any]:
    return {
        "life": number,
        "state": state,
        "attempts": attempts,
        "reason": None,
        "code": None,
        "started_at": "2030-01-01T12:00:00.000Z",
        "updated_at": "2030-01-01T12:00:00.000Z",
        "expires_at": "2030-01-02T12:00:00.000Z",
        "events": list(events),
    }


def notification(state: str, *lives: dict[str, Any], partial: bool = False) -> dict[str, Any]:
    """Return a notification with one delivery, as the API gives it."""
    delivery = {"id": DELIVERY, "channel": "email", "address": "ada@example.test", "state": state, "lives": list(lives)}
    return {
        "id": NOTIFICATION,
        "state": state,
        "recipient": {"id": None, "locale": None},
        "channels": ["email"],
        "category": "orders",
        "lane": "normal",
        "template": {"name": "order-confirmation", "version": "9f2c51d07ab34e68"},
        "metadata": {},
        "accepted_at": "2030-01-01T12:00:00.000Z",
        "expires_at": "2030-01-02T12:00:00.000Z",
        "partial": partial,
        "deliveries": [delivery],
        "events": [event("notification.accepted", "12:00:00.000")],
    }


DEFERRED = attempted(1, "12:00:00.100", "deferred", "451 4.7.1", "Greylisted")
RETRYING = event("delivery.retrying", "12:00:00.100", 1, not_before="2030-01-01T12:00:05.200Z", tier="5s")
DELIVERED = attempted(2, "12:00:05.300", "delivered", "250 2.0.0", "Ok")
ENDED = event("delivery.delivered", "12:00:05.300", 2, provider="smtp", code="250 2.0.0", provider_id="4ABCD")


def accepted() -> dict[str, Any]:
    """Return the answer to a submit."""
    return {"id": NOTIFICATION, "deliveries": [{"id": DELIVERY, "channel": "email", "state": "accepted"}]}


def letter(state: str = "open", **changes: Any) -> dict[str, Any]:
    """Return a line of the list of dead letters."""
    return {
        "id": LETTER,
        "state": state,
        "channel": "email",
        "reason": "rejected",
        "code": "550 5.1.1",
        "message": "No such mailbox here",
        "provider": "smtp",
        "attempts": 1,
        "died_at": "2030-01-01T12:00:00.000Z",
        "notification_id": NOTIFICATION,
        "delivery_id": DELIVERY,
        "life": 0,
        "lane": "normal",
        "category": "orders",
        "template": None,
        "replayable": True,
        "replay_life": None,
        "replay_state": None,
        "replayed_at": None,
        "replayed_by": None,
        "discarded_at": None,
        "discarded_by": None,
        **changes,
    }
