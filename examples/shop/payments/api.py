"""Payments over HTTP: to be looked at only. What is done follows from events."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter

from examples.shop.kit.database import Database
from examples.shop.kit.listing import After, Limit, Order, rows_of
from examples.shop.payments.tables import payments
from tocsin.clock import from_ms, rfc3339


class Api:
    """The routes of the payments service."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.router = APIRouter(tags=["payments"])
        self.router.add_api_route("/payments", self._list, methods=["GET"])

    async def _list(self, order: Order = None, limit: Limit = 100, after: After = None) -> dict[str, Any]:
        """List payments: TAKEN, REFUSED, REFUNDED, or VOID where the order was cancelled before it was paid.

        A test amount decides: one that ends in .13 is refused.
        """
        rows, following = await rows_of(self._database, payments, order=order, limit=limit, after=after)
        return {"payments": [_shown(row) for row in rows], "next": following}


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    named = ("order_id", "payment_id", "status", "amount_cents", "currency", "reason")
    return {**{name: row[name] for name in named}, "changed_at": rfc3339(from_ms(row["changed_at_ms"]))}
