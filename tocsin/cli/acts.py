"""The acts of the demo's tour: what is sent, to whom, and what it shows. Pure.

The simulators know by the address what to do wrong. Who is to be refused has another address at each run, since what
was refused once is suppressed from then on.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

# The demo's Twilio has no way to this number: https://www.twilio.com/docs/iam/test-credentials
_UNREACHABLE_THROUGH_TWILIO = "+15005550002"
# By then a suppression that was told of is in force everywhere.
_SUPPRESSED_AFTER_SECONDS = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One notification of the tour. `rest_seconds` is waited before it is submitted."""

    title: str
    document: Mapping[str, Any]
    rest_seconds: float = 0.0


def acts(run: str, *, channels: Collection[str], subscription: Mapping[str, Any] | None) -> Iterator[Act]:
    """Return the acts that these channels allow, in their order.

    `run` is part of each address that is new at each run; `subscription` is a browser's, None where there is none.
    """
    everyone = _everyone(run, subscription)
    if reached := {name: everyone[name] for name in everyone if name in channels}:
        yield _act("To one person, on every channel at once", reached)
    if "email" in channels:
        yield _act("To an address that does not exist: it becomes a dead letter", {"email": _refused(run)})
    if "push" in channels:
        both = {"push": [_device(f"phone-{run}"), _gone(run)]}
        yield _act("To an app on two devices, and gone from one of them: the other is enough", {"push": both})
    if "email" in channels:
        twice = {"email": f"greylist+{run}@example.test"}
        yield _act("To a server that greylists: retried after 5 s, then delivered", {"email": twice}, locale="de")
    if "sms" in channels:
        failing = {"phone": _UNREACHABLE_THROUGH_TWILIO}
        yield _act("To a number that one provider cannot reach: the next takes over at once", {"sms": failing})
    lost = {"email": _refused(run), "push": {"push": [_gone(run)]}}
    if known := {name: lost[name] for name in lost if name in channels}:
        # The mail that is retried takes longer than that.
        rest = 0.0 if "email" in channels else _SUPPRESSED_AFTER_SECONDS
        yield _act("Once more to what is gone: suppressed, and no provider is asked", known, rest_seconds=rest)


def _everyone(run: str, subscription: Mapping[str, Any] | None) -> dict[str, Mapping[str, Any]]:
    """Return the addresses of somebody whom every channel reaches."""
    found: dict[str, Mapping[str, Any]] = {
        "email": {"email": "ada@example.test"},
        "sms": {"phone": "+12025550143"},
        "push": {"push": [_device(f"tablet-{run}")]},
    }
    return found if subscription is None else {**found, "browser": {"browser": [subscription]}}


def _refused(run: str) -> Mapping[str, Any]:
    return {"email": f"refused+{run}@example.test"}


def _gone(run: str) -> Mapping[str, str]:
    return _device(f"unregistered-{run}")


def _device(token: str) -> Mapping[str, str]:
    return {"provider": "fcm", "token": token}


def _act(
    title: str, addresses: Mapping[str, Mapping[str, Any]], *, locale: str = "en", rest_seconds: float = 0.0
) -> Act:
    recipient: dict[str, Any] = {"id": "ada", "locale": locale}
    for properties in addresses.values():
        recipient |= properties
    document = {
        "recipient": recipient,
        "channels": list(addresses),
        "template": "order-confirmation",
        "data": {"order": "1001", "items": [{"name": "keyboard", "quantity": 1}, {"name": "mouse", "quantity": 2}]},
        "category": "orders",
        "metadata": {"order_id": "1001"},
    }
    return Act(title=title, document=document, rest_seconds=rest_seconds)
