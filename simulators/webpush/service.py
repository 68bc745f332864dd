"""The push service itself: what it answers to a message (RFC 8030), in the words of Mozilla's where it refuses one."""

import re
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import msgspec

from simulators.webpush import authorization
from simulators.webpush.authorization import Signed
from simulators.webpush.browser import Browser, Browsers
from simulators.webpush.faults import BEHAVIOURS, GOOGLE_MISMATCH, Fault, Faults
from simulators.webpush.inbox import Inbox, Message
from tocsin.clock import Clock

_MAX_BODY = 4096
_MAX_TTL = 2_419_200
_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,32}")
_URGENCIES = frozenset({"very-low", "low", "normal", "high"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the service answers. `cut`: the connection is, before the answer is whole."""

    status: int
    cut: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


class PushService:
    """Takes messages for browsers, checks them as a strict push service does, and reads them as the browsers would."""

    def __init__(self, *, browsers: Browsers, inbox: Inbox, faults: Faults, clock: Clock) -> None:
        self._browsers = browsers
        self._inbox = inbox
        self._faults = faults
        self._clock = clock

    async def push(self, subscription: str, headers: Mapping[str, str], body: bytes, *, origin: str) -> Answer:
        """Answer one message. `headers` are in lower case; `origin` is where the service was reached."""
        browser = self._browsers.find(subscription)
        if browser is None:
            return _refusal(404, 102, "No such subscription")
        fault = self._faults.meet(browser.id) or BEHAVIOURS[browser.behaviour]
        if fault is not None and fault.status is not None:
            await self._wait(fault)
            return Answer(status=fault.status, headers=fault.headers, body=fault.body)
        taken = self._taken(browser, headers, body, origin)
        if fault is not None:
            await self._wait(fault)
        return replace(taken, cut=True) if fault is not None and fault.drop else taken

    def _taken(self, browser: Browser, headers: Mapping[str, str], body: bytes, origin: str) -> Answer:
        signed = authorization.check(headers.get("authorization"), origin=origin, now=self._clock.now())
        if isinstance(signed, str):
            return _refusal(401, 109, signed)
        if browser.server_key not in (None, signed.key):
            return Answer(status=403, body=GOOGLE_MISMATCH)
        if (refusal := _unfit(headers, body)) is not None:
            return refusal
        plaintext = browser.read(body)
        if plaintext is None:
            # A real service cannot know; the browser would drop it in silence, which helps nobody here.
            return _refusal(400, 110, "The browser cannot read this: it is encrypted for other keys")
        message = self._received(browser, headers, plaintext, signed)
        return Answer(status=201, headers={"Location": f"{origin}/m/{message.id}", "TTL": str(message.ttl)})

    def _received(self, browser: Browser, headers: Mapping[str, str], plaintext: bytes, signed: Signed) -> Message:
        return self._inbox.receive(
            subscription=browser.id,
            plaintext=plaintext,
            ttl=min(int(headers["ttl"]), _MAX_TTL),
            urgency=headers.get("urgency", "normal"),
            topic=headers.get("topic"),
            key=signed.key,
            subject=signed.subject,
        )

    def _wait(self, fault: Fault) -> Awaitable[None]:
        return self._clock.sleep(timedelta(seconds=fault.delay_seconds))


def summary(message: Message) -> dict[str, Any]:
    """Return a message with its text as JSON, where it is that."""
    return {**_members(message), "payload": _payload(message.text)}


def _members(message: Message) -> dict[str, Any]:
    members: dict[str, Any] = msgspec.to_builtins(message)
    return members


def _payload(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def _unfit(headers: Mapping[str, str], body: bytes) -> Answer | None:
    """Return how a message is refused for what it is, None if it is fine."""
    if len(body) > _MAX_BODY:
        return _refusal(413, 104, "The body has more than 4096 bytes")
    if headers.get("content-encoding") != "aes128gcm":
        return _refusal(400, 110, "Content-Encoding must be aes128gcm")
    if not headers.get("ttl", "").isdecimal():
        return _refusal(400, 111, "Missing TTL header")
    if "topic" in headers and _TOPIC.fullmatch(headers["topic"]) is None:
        return _refusal(400, 113, "Invalid topic value")
    if headers.get("urgency", "normal") not in _URGENCIES:
        return _refusal(400, 114, "Invalid urgency value")
    return None


def _refusal(status: int, errno: int, message: str) -> Answer:
    body = msgspec.json.encode({"code": status, "errno": errno, "message": message}).decode()
    return Answer(status=status, headers={"Content-Type": "application/json"}, body=body)
