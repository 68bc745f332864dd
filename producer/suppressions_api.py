"""`/v1/suppressions`: addresses that nothing is sent to, listed, added and lifted. All of it needs `operate`.

What is done is done first and told to the audit second; where the telling fails the answer is 503, and a repeat tells
the same event once more, under the same id.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from producer import addresses, suppressions_docs, suppressions_query
from producer.suppressions_query import Address, Category, Channel, Wanted
from tocsin import ids
from tocsin.clock import Clock, from_rfc3339, rfc3339
from tocsin.envelope import audit_record
from tocsin.eventlog.port import Publisher
from tocsin.lifecycle import AuditEvent, Event
from tocsin.runtime import service
from tocsin.store import suppressions_listing as listing
from tocsin.store.engine import Store
from tocsin.store.suppressions import Suppression, Suppressions, Told, identity
from tocsin.store.suppressions_listing import Filter, Position
from tocsin.validation import Fault, Schema
from tocsin.web import body, paging, problems
from tocsin.web.auth import Principal, requires
from tocsin.web.problems import ProblemError
from tocsin.web.responses import Json

Operator = Annotated[Principal, Depends(requires("operate"))]

_MAX_BODY = 16 * 1024
_ID = re.compile(r"sup_[0-9a-z]{26}", re.ASCII)


class SuppressionsApi:
    """The routes of the suppressed addresses."""

    def __init__(
        self, *, store: Store, channels: Mapping[str, service.Channel[Any]], publisher: Publisher, clock: Clock
    ) -> None:
        self._store = store
        self._suppressions = Suppressions(store=store, clock=clock)
        self._channels = channels
        self._publisher = publisher
        self._clock = clock
        self._wanted = Schema(suppressions_docs.WANTED)
        self.router = APIRouter(prefix="/v1/suppressions", tags=["suppressions"])
        add = self.router.add_api_route
        add("", self._list, methods=["GET"], **suppressions_docs.LIST)
        add("", self._add, methods=["POST"], status_code=201, **suppressions_docs.ADD)
        add("", self._lift_address, methods=["DELETE"], **suppressions_docs.LIFT_BY_ADDRESS)
        add("/{suppression_id}", self._lift, methods=["DELETE"], **suppressions_docs.LIFT)

    async def _list(
        self,
        principal: Operator,
        _known: Annotated[None, Depends(suppressions_query.only_known)],
        wanted: Annotated[Wanted, Depends(suppressions_query.wanted)],
        limit: paging.Limit = paging.DEFAULT_LIMIT,
        cursor: paging.Cursor = None,
    ) -> Response:
        """Every filter narrows the list. What was lifted or has expired is not in it."""
        found = await listing.page(
            self._store,
            self._filter(wanted, principal.tenant),
            tenant=principal.tenant,
            now=self._clock.now(),
            below=None if cursor is None else paging.read(cursor, Position),
            limit=limit + 1,
        )
        items, next_cursor = paging.page(found, limit=limit, position=listing.position)
        return Json({"items": [_view(each) for each in items], "next_cursor": next_cursor})

    async def _add(self, request: Request, principal: Operator) -> Response:
        """One that is suppressed already, and not for a shorter time, stays as it is."""
        wanted = body.decode(await body.read(request, limit=_MAX_BODY))
        if faults := self._wanted.faults(wanted):
            raise problems.invalid(*faults)
        told = Told(
            tenant=principal.tenant,
            channel=wanted["channel"],
            address=self._normal(wanted["channel"], wanted["address"]),
            reason=wanted.get("reason", "manual"),
            source=principal.name,
            at=self._clock.now(),
            expires_at=self._expiry(wanted.get("expires_at")),
            category=wanted.get("category"),
        )
        suppression, changed = await self._suppressions.add(told)
        if changed or suppression.source == principal.name:
            await self._tell(Event.SUPPRESSION_ADDED, suppression, principal, suppression.added_at)
        return Json(_view(suppression), 201 if changed else 200)

    async def _lift(self, suppression_id: str, principal: Operator) -> Response:
        """Deliveries to it are sent from now on. Those that ended `suppressed` stay so; submit them anew."""
        return await self._lifted(suppression_id, principal)

    async def _lift_address(
        self, principal: Operator, channel: Channel, address: Address, category: Category | None = None
    ) -> Response:
        """The same, for who knows the address and not the id. Each category is lifted on its own."""
        return await self._lifted(self._row_id(principal.tenant, channel, address, category), principal)

    async def _lifted(self, suppression_id: str, principal: Principal) -> Response:
        found = None
        if _ID.fullmatch(suppression_id):
            found = await self._suppressions.lift(suppression_id, tenant=principal.tenant)
        if found is None or found.lifted_at is None:
            raise _missing()
        await self._tell(Event.SUPPRESSION_LIFTED, found, principal, found.lifted_at)
        return Json(_view(found))

    async def _tell(self, kind: Event, suppression: Suppression, principal: Principal, time: datetime) -> None:
        event = _event(kind, suppression, source=principal.name, time=time)
        await self._publisher.write([audit_record(event)])

    def _filter(self, wanted: Wanted, tenant: str) -> Filter:
        rows = None
        if wanted.address is not None:
            names = [wanted.channel] if wanted.channel else self._channels
            rows = [self._row_id(tenant, name, wanted.address) for name in names]
        return Filter(channel=wanted.channel, reason=wanted.reason, category=wanted.category, address_ids=rows)

    def _normal(self, name: str, text: str) -> str:
        channel = self._channels.get(name)
        if channel is None:
            detail = f"must be one of {', '.join(self._channels)}"
            raise problems.invalid(Fault(pointer="/channel", detail=detail))
        found = addresses.normal(channel, text)
        if isinstance(found, Fault):
            raise problems.invalid(Fault(pointer="/address", detail=found.detail))
        return found

    def _row_id(self, tenant: str, name: str, text: str, category: str | None = None) -> str:
        """Return the id of an address's row, which need not be there: the address may be anything."""
        channel = self._channels.get(name)
        found = text if channel is None else addresses.normal(channel, text)
        return identity(tenant, name, text if isinstance(found, Fault) else found, category)

    def _expiry(self, text: str | None) -> datetime | None:
        if text is None:
            return None
        found = from_rfc3339(text)
        if found is None or found <= self._clock.now():
            detail = "must be an RFC 3339 time to come, such as 2030-03-01T12:00:00Z"
            raise problems.invalid(Fault(pointer="/expires_at", detail=detail))
        return found


def _missing() -> ProblemError:
    return problems.not_found(
        "There is no such suppression. Its id begins with sup_; `GET /v1/suppressions` lists them."
    )


def _view(suppression: Suppression) -> dict[str, Any]:
    return {
        "id": suppression.id,
        "channel": suppression.channel,
        "address": suppression.address,
        "category": suppression.category,
        "reason": suppression.reason,
        "source": suppression.source,
        "added_at": rfc3339(suppression.added_at),
        "expires_at": _moment(suppression.expires_at),
        "lifted_at": _moment(suppression.lifted_at),
    }


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)


def _event(kind: Event, suppression: Suppression, *, source: str, time: datetime) -> AuditEvent:
    """Return the event. A row is added or lifted once at a moment, so the moment says which event it is."""
    data: dict[str, Any] = {"channel": suppression.channel, "address": suppression.address, "source": source}
    if suppression.category is not None:
        data["category"] = suppression.category
    if kind is Event.SUPPRESSION_ADDED:
        data["reason"] = suppression.reason
        if suppression.expires_at is not None:
            data["expires_at"] = rfc3339(suppression.expires_at)
    return AuditEvent(
        id=ids.hashed(ids.EVENT, suppression.id, kind, rfc3339(time)),
        type=kind,
        time=time,
        tenant=suppression.tenant,
        data=data,
    )
