"""`GET /v1/notifications/{id}`: a timeline. `GET /v1/notifications`: a search."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from starlette.responses import JSONResponse, Response

from audit import examples, parameters, reading, search
from audit.search import Wanted
from audit.timeline import Timelines
from audit.views import PageView, TimelineView
from tocsin import ids
from tocsin.store.engine import Store
from tocsin.web import paging, problems
from tocsin.web.auth import Principal, requires
from tocsin.web.responses import Json

Reader = Annotated[Principal, Depends(requires("read", test_keys=True))]


class Api:
    """The routes of the audit.

    `response_class` is for the OpenAPI only, where FastAPI describes the models of nothing but its own JSON answers.
    """

    def __init__(self, *, store: Store, timelines: Timelines) -> None:
        self._store = store
        self._timelines = timelines
        self.router = APIRouter(tags=["notifications"])
        self.router.add_api_route(
            "/v1/notifications/{notification_id}",
            self._timeline,
            summary="What became of a notification",
            response_class=JSONResponse,
            response_model=TimelineView,
            responses=examples.answer("The notification with all that happened to it", examples.TIMELINE),
        )
        self.router.add_api_route(
            "/v1/notifications",
            self._search,
            summary="Find notifications, newest first",
            response_class=JSONResponse,
            response_model=PageView,
            responses=examples.answer("A page of notifications", examples.PAGE),
            openapi_extra=parameters.openapi(),
        )

    async def _timeline(
        self, principal: Reader, notification_id: Annotated[str, Path(description="`ntf_` and 26 characters.")]
    ) -> Response:
        if not _well_formed(notification_id):
            raise problems.not_found(
                f"{notification_id[:64]!r} is not a notification's id, which is {ids.NOTIFICATION} and 26 characters "
                "of 0-9 and a-z without i, l, o and u, as the submit answered it."
            )
        found = await self._timelines.find(notification_id, tenant=principal.tenant, tests_only=principal.test)
        if found is None:
            raise problems.not_found(f"No notification has the id {notification_id}.")
        return Json(found)

    async def _search(
        self,
        principal: Reader,
        wanted: Annotated[Wanted, Depends(parameters.wanted)],
        limit: paging.Limit = paging.DEFAULT_LIMIT,
        cursor: paging.Cursor = None,
    ) -> Response:
        if principal.test:
            wanted = replace(wanted, test=True)
        below = None if cursor is None else paging.read(cursor, str)
        query = search.query(wanted, tenant=principal.tenant, below=below, limit=limit + 1)
        async with self._store.read() as connection:
            rows = (await connection.execute(query)).all()
        items, next_cursor = paging.page(rows, limit=limit, position=lambda row: row.id)
        return Json(PageView(notifications=[reading.notification(row) for row in items], next_cursor=next_cursor))


def _well_formed(notification_id: str) -> bool:
    return notification_id.startswith(ids.NOTIFICATION) and ids.made_at(notification_id) is not None
