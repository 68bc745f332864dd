"""Customers over HTTP. Each change is told to the others by an event that carries all details and a version."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy import Row, insert, select, update

from examples.shop.customers.tables import customers
from examples.shop.kit import problems
from examples.shop.kit.texts import Body, Email, Locale, Name, Phone
from examples.shop.kit.unit import Unit, Units
from tocsin.clock import from_ms, rfc3339

_DETAILS = ("id", "name", "email", "phone", "locale")
_UNKNOWN = "there is no such customer"


class Details(Body):
    """What a customer tells of themselves."""

    name: Name
    email: Email
    phone: Phone | None = None
    locale: Locale = "en"


class Api:
    """The routes of the customers service."""

    def __init__(self, units: Units) -> None:
        self._units = units
        self.router = APIRouter(tags=["customers"])
        self.router.add_api_route("/customers", self._create, methods=["POST"], status_code=201)
        self.router.add_api_route("/customers", self._list, methods=["GET"])
        self.router.add_api_route("/customers/{customer_id}", self._get, methods=["GET"])
        self.router.add_api_route("/customers/{customer_id}", self._replace, methods=["PUT"])
        self.router.add_api_route("/customers/{customer_id}", self._delete, methods=["DELETE"], status_code=204)

    async def _create(self, details: Details) -> dict[str, Any]:
        """Create a customer. They are welcomed by mail."""
        async with self._units.begin() as unit:
            row = {
                "id": unit.new_id("cus"),
                **details.model_dump(),
                "version": 1,
                "deleted": False,
                "created_at_ms": unit.now_ms,
            }
            await unit.connection.execute(insert(customers), row)
            await _tell(unit, "CustomerCreated", row)
        return _shown(row)

    async def _list(
        self,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        before: Annotated[int | None, Query(ge=1, le=2**62)] = None,
    ) -> dict[str, Any]:
        """List customers, the newest first. `next` is the `before` of the next page, null on the last."""
        query = select(customers).where(~customers.c.deleted).order_by(customers.c.number.desc()).limit(limit)
        if before is not None:
            query = query.where(customers.c.number < before)
        async with self._units.database.begin() as connection:
            rows = [dict(row) for row in (await connection.execute(query)).mappings()]
        return {"customers": list(map(_shown, rows)), "next": rows[-1]["number"] if len(rows) == limit else None}

    async def _get(self, customer_id: str) -> dict[str, Any]:
        """Return a customer."""
        query = select(customers).where(customers.c.id == customer_id, ~customers.c.deleted)
        async with self._units.database.begin() as connection:
            row = (await connection.execute(query)).one_or_none()
        return _shown(_there(row))

    async def _replace(self, customer_id: str, details: Details) -> dict[str, Any]:
        """Replace a customer's details: orders placed from now on go by them."""
        async with self._units.begin() as unit:
            row = await _changed(unit, customer_id, details.model_dump())
            await _tell(unit, "CustomerUpdated", row)
        return _shown(row)

    async def _delete(self, customer_id: str) -> None:
        """Delete a customer: their details go, and they place no more orders."""
        async with self._units.begin() as unit:
            query = select(customers).where(customers.c.id == customer_id, ~customers.c.deleted).with_for_update()
            last = _there((await unit.connection.execute(query)).one_or_none())
            blank = {"name": None, "email": None, "phone": None, "locale": None, "deleted": True}
            row = await _changed(unit, customer_id, blank)
            await _tell(unit, "CustomerDeleted", {**last, "version": row["version"]})


async def _changed(unit: Unit, customer_id: str, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Change a customer who is there, and return what they are now. The row's lock is held from here on."""
    change = (
        update(customers)
        .where(customers.c.id == customer_id, ~customers.c.deleted)
        .values(**values, version=customers.c.version + 1)
        .returning(customers)
    )
    return _there((await unit.connection.execute(change)).one_or_none())


async def _tell(unit: Unit, kind: str, row: Mapping[str, Any]) -> None:
    data = {"customer": {name: row[name] for name in _DETAILS}, "version": row["version"]}
    await unit.emit(kind, subject=row["id"], data=data)


def _there(row: Row[Any] | None) -> Mapping[str, Any]:
    if row is None:
        raise problems.not_found(_UNKNOWN)
    return dict(row._mapping)  # noqa: SLF001 - a row's public interface


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    details = {name: row[name] for name in _DETAILS}
    return {**details, "version": row["version"], "created_at": rfc3339(from_ms(row["created_at_ms"]))}
