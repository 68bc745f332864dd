"""The shop's events as CloudEvents in JSON, and what its rules make of them: no gateway runs."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from examples.shop import start
from examples.shop.kit import events
from examples.shop.kit.settings import ShopSettings
from tocsin.runtime import discover, gateway
from tocsin.runtime.trial import Trial, TriedRule

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
ADA = {
    "id": "cus-1",
    "name": "Ada <Lovelace>",
    "email": "ada@shop.example",
    "phone": "+4915112345678",
    "locale": "en",
}
ITEMS = [
    {"product": "lamp", "name": "Lamp & shade", "quantity": 2, "unit_price_cents": 4905},
    {"product": "chair", "name": "Chair", "quantity": 1, "unit_price_cents": 12900},
]
# What each type has of its own.
OWN: dict[str, dict[str, Any]] = {
    "OrderPlaced": {"with_payment": True},
    "PaymentConfirmed": {"payment_id": "pay-1"},
    "PaymentNotAuthorized": {"reason": "card_declined"},
    "PaymentRefunded": {"payment_id": "pay-1", "reason": "out_of_stock"},
    "InventoryUpdated": {"reservation_id": "res-1"},
    "InventoryInsufficient": {"product": "lamp", "requested": 2, "available": 1},
    "InventoryReleased": {"reservation_id": "res-1", "reason": "shipping_failed"},
    "ShippingConfirmed": {"tracking": "trk-1"},
    "ShippingFailed": {"reason": "no_such_place"},
    "OrderCancelled": {"reason": "shipping_failed", "refund_cents": 22710},
}


def rules() -> Trial:
    """Return the rules of the shop's gateway, checked as it would check them."""
    options = gateway.UpOptions(config=str(start.GATEWAY / "tocsin.toml"), overrides=start._overrides(ShopSettings()))
    settings = gateway.settings_for(options, discover.simulators(), {})
    [open_trial] = [each.trial for each in discover.services() if each.trial is not None]
    return open_trial(settings, None)


def event(kind: str, *, customer: dict[str, Any] | None = None, **own: Any) -> dict[str, Any]:
    """Return an event of the shop."""
    who = {**ADA, **(customer or {})}
    order = {"order_id": "order-1", "customer": who, "items": ITEMS, "amount_cents": 22710, "currency": "EUR"}
    data = {"customer": who, "version": 1} if kind.startswith("Customer") else {**order, **OWN[kind], **own}
    assert events.fits(kind, data), kind
    service = {"Order": "orders", "Payment": "payments", "Inventory": "inventory", "Shipping": "shipping"}
    source = next((name for start_, name in service.items() if kind.startswith(start_)), "customers")
    return {
        "specversion": "1.0",
        "id": f"{kind}-1",
        "source": f"/shop/{source}",
        "type": kind,
        "subject": "order-1",
        "data": data,
    }


def made(trial: Trial, document: dict[str, Any]) -> Sequence[TriedRule]:
    """Return what the rules make of an event. Nothing of it may be wrong."""
    tried = trial.event(document, NOW)
    assert not tried.faults
    assert not [fault for rule in tried.rules for fault in rule.faults]
    assert not [message.fault for rule in tried.rules for message in rule.messages if message.fault]
    return tried.rules
