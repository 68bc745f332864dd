"""The catalogue and the stock over HTTP."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import select

from examples.shop.inventory import stock
from examples.shop.inventory.tables import stock as table
from examples.shop.kit import problems
from examples.shop.kit.facts import CURRENCY
from examples.shop.kit.texts import Body
from examples.shop.kit.unit import Units

_MOST = 1_000_000


class Counted(Body):
    """How many of a product are there to be sold: what is reserved is not among them."""

    available: Annotated[int, Field(ge=0, le=_MOST)]


class Api:
    """The routes of the inventory service."""

    def __init__(self, units: Units) -> None:
        self._units = units
        self.router = APIRouter(tags=["inventory"])
        self.router.add_api_route("/products", self._products, methods=["GET"])
        self.router.add_api_route("/stock", self._stock, methods=["GET"])
        self.router.add_api_route("/stock/{product}", self._count, methods=["PUT"])

    async def _products(self) -> dict[str, Any]:
        """List what the shop sells."""
        async with self._units.database.begin() as connection:
            rows = (await connection.execute(select(table).order_by(table.c.price_cents))).all()
        products = [
            {"id": row.product, "name": row.name, "price_cents": row.price_cents, "currency": CURRENCY} for row in rows
        ]
        return {"products": products}

    async def _stock(self) -> dict[str, Any]:
        """List how many there are of each product to be sold."""
        async with self._units.database.begin() as connection:
            rows = (await connection.execute(select(table).order_by(table.c.product))).all()
        return {"stock": [{"product": row.product, "available": row.available} for row in rows]}

    async def _count(self, product: str, counted: Counted) -> dict[str, Any]:
        """Set how many there are of a product to be sold."""
        async with self._units.begin() as unit:
            if not await stock.count(unit, product, counted.available):
                raise problems.not_found("there is no such product")
        return {"product": product, "available": counted.available}
