"""The providers of all channels, each by its simulator: what differs between them."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from simulators.fcm.simulator import simulator as fcm
from simulators.resend.simulator import simulator as resend
from simulators.ses.simulator import simulator as ses
from simulators.twilio.simulator import simulator as twilio
from simulators.vonage.simulator import simulator as vonage
from simulators.webpush.simulator import simulator as webpush
from tests.support.peers import Peer, apns_peer, http_peer, smtp_peer
from tocsin.clock import Clock

Faulty = Mapping[str, Any]
# Calls that a provider takes at once.
IN_FLIGHT = 4
MAIL = {"subject": "s", "text": "t"}
TEXT = {"text": "t"}
PUSH = {"title": "t", "body": "b"}


def _asked(seconds: int, now: datetime, *, as_date: bool) -> Faulty:
    """Return what asks to wait, as most simulators are told of it."""
    del now
    return {"retry_after_seconds": seconds, "retry_after_as_date": as_date}


def _asked_in_header(seconds: int, now: datetime, *, as_date: bool) -> Faulty:
    until = format_datetime(now + timedelta(seconds=seconds), usegmt=True)
    return {"headers": {"Retry-After": until if as_date else str(seconds)}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A provider. Faults are in the words of its simulator.

    `busy` is a transient error in the provider's own words, after which its vendor wants us to wait for so many seconds
    (`patience`); `outage` is how it answers while it is down. `lost` takes a message and closes the connection before
    it has answered; `slow` answers after so many seconds. `throttled` refuses and may ask to wait, in the way of
    `asked`; `later` asks so for one message only. Both are None where the provider has no such answer. `recipient`
    makes somebody new; `whom` has a fault meet one address only. `once`: what is sent again under the same key is one
    message.
    """

    name: str
    channel: str
    content: Mapping[str, str]
    open: Callable[[Clock], AbstractAsyncContextManager[Peer]]
    recipient: Callable[[Peer, int], Awaitable[Mapping[str, Any]]]
    whom: Callable[[str], Faulty]
    busy: Faulty
    outage: Faulty
    patience: int = 0
    lost: Faulty = field(default_factory=lambda: {"drop": True})
    slow: Callable[[float], Faulty] = lambda seconds: {"delay_seconds": seconds}
    throttled: Faulty | None = None
    later: Faulty | None = None
    asked: Callable[..., Faulty] = _asked
    once: bool = False
    routes: Mapping[str, Any] = field(default_factory=dict)
    bounds: Mapping[str, Any] = field(default_factory=lambda: {"connections": IN_FLIGHT})

    @property
    def section(self) -> str:
        """The settings of the provider."""
        return "email" if self.name == "smtp" else self.name

    def settings(self, peer: Peer) -> dict[str, dict[str, Any]]:
        """Return the settings of a gateway that uses it, and nothing else."""
        found: dict[str, dict[str, Any]] = {self.channel: dict(self.routes)}
        found.setdefault(self.section, {}).update({**peer.settings, **self.bounds})
        if self.name == "webpush":
            found["browser"] = {"private_endpoints": [each.host for each in peer.doors]}
        return found


async def _mailbox(peer: Peer, number: int) -> Mapping[str, Any]:
    del peer
    return {"email": f"c{number}@example.test"}


async def _phone(peer: Peer, number: int) -> Mapping[str, Any]:
    del peer
    return {"phone": f"+1202556{number:04d}"}


async def _device(peer: Peer, number: int, *, service: str) -> Mapping[str, Any]:
    del peer
    return {"push": [{"provider": service, "token": f"{number:064x}"}]}


async def _browser(peer: Peer, number: int) -> Mapping[str, Any]:
    base = f"http://{peer.doors[number % len(peer.doors)].host}/webpush"
    made = await peer.control.post("subscriptions", json={"base_url": base})
    return {"browser": [made.json()]}


def _recipients(address: str) -> Faulty:
    return {"recipients": address}


def _tokens(address: str) -> Faulty:
    return {"tokens": address.partition(":")[2]}


def _subscription(address: str) -> Faulty:
    return {"subscription": urlsplit(address.partition(" ")[0]).path.rpartition("/")[2]}


_REPLY = {"code": 451, "enhanced": "4.3.0", "text": "Try again later"}
_MAIL: dict[str, Any] = {"channel": "email", "content": MAIL, "recipient": _mailbox, "whom": _recipients}
_SMS: dict[str, Any] = {"channel": "sms", "content": TEXT, "recipient": _phone, "whom": _recipients}
_PUSH: dict[str, Any] = {"channel": "push", "content": PUSH, "whom": _tokens}

KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            name="smtp",
            **_MAIL,
            open=smtp_peer,
            busy={"phase": "rcpt", "reply": _REPLY},
            lost={"phase": "body", "drop": True},
            outage={"phase": "connect", "drop": True},
            slow=lambda seconds: {"phase": "body", "delay_seconds": seconds},
            routes={"routes": ["smtp"]},
        ),
        Kind(
            name="ses",
            **_MAIL,
            open=partial(http_peer, ses),
            busy={"status": 429, "error": "TooManyRequestsException", "text": "Maximum sending rate exceeded."},
            outage={"status": 503, "error": "ServiceUnavailable"},
            throttled={"status": 429, "error": "TooManyRequestsException", "text": "Maximum sending rate exceeded."},
            routes={"routes": ["ses"], "sender": "Shop <no-reply@shop.example>"},
        ),
        Kind(
            name="resend",
            **_MAIL,
            open=partial(http_peer, resend),
            busy={"status": 429, "error": "rate_limit_exceeded"},
            outage={"status": 503, "error": "service_unavailable"},
            throttled={"status": 429, "error": "rate_limit_exceeded"},
            later={"status": 503, "error": "service_unavailable"},
            once=True,
            routes={"routes": ["resend"], "sender": "Shop <no-reply@shop.example>"},
        ),
        Kind(
            name="twilio",
            **_SMS,
            open=partial(http_peer, twilio),
            busy={"status": 429, "code": 20429},
            outage={"status": 503},
            throttled={"status": 429, "code": 20429},
            routes={"routes": ["twilio"]},
        ),
        Kind(
            name="vonage",
            **_SMS,
            open=partial(http_peer, vonage),
            busy={"code": 1, "text": "Throughput Rate Exceeded"},
            outage={"status": 503},
            throttled={"status": 429},
            routes={"routes": ["vonage"]},
        ),
        Kind(
            name="fcm",
            **_PUSH,
            open=partial(http_peer, fcm, urls={"base_url": "", "token_url": "/token"}),
            recipient=partial(_device, service="fcm"),
            busy={"error": "INTERNAL"},
            patience=10,
            outage={"error": "UNAVAILABLE"},
            throttled={"error": "QUOTA_EXCEEDED"},
            later={"error": "UNAVAILABLE"},
        ),
        Kind(
            name="apns",
            **_PUSH,
            open=apns_peer,
            recipient=partial(_device, service="apns"),
            busy={"reason": "InternalServerError"},
            lost={"cut": True},
            outage={"reason": "ServiceUnavailable"},
            throttled={"reason": "TooManyRequests"},
            later={"reason": "ServiceUnavailable"},
            bounds={"connections": 1, "in_flight": IN_FLIGHT},
        ),
        Kind(
            name="webpush",
            channel="browser",
            content=PUSH,
            # Three push services: that one of them fails says nothing of the others.
            open=partial(http_peer, webpush, doors=3, urls={}),
            recipient=_browser,
            whom=_subscription,
            busy={"status": 500},
            outage={"status": 503},
            throttled={"status": 429},
            # Another error would be the whole push service's.
            later={"status": 429},
            asked=_asked_in_header,
        ),
    )
}
