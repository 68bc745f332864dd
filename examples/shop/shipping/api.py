"""Shipments over HTTP: to be looked at only. What is done follows from events."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter

from examples.shop.kit.database import Database
from examples.shop.kit.listing import After, Limit, Order, rows_of
from examples.shop.shipping.tables import shipments
from tocsin.clock import from_ms, rfc3339


class Api:
    """The routes of the shipping service."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.router = APIRouter(tags=["shipping"])
        self.router.add_api_route("/shipments", self._list, methods=["GET"])

    async def _list(self, order: Order = None, limit: Limit = 100, after: After = None) -> dict[str, Any]:
        """List shipments: PACKING, SENT, FAILED, VOID where the order was cancelled before, RECALLED where it was
        cancelled just as the parcel went.

        A test name decides: where the customer's has "Nowhere" in it, shipping fails.
        """
        rows, following = await rows_of(self._database, shipments, order=order, limit=limit, after=after)
        return {"shipments": [_shown(row) for row in rows], "next": following}


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    named = ("order_id", "status", "tracking", "reason")
    return {**{name: row[name] for name in named}, "changed_at": rfc3339(from_ms(row["changed_at_ms"]))}
