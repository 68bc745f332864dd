"""`GET /v1/lag`: how far each consumer group is behind, whichever process reads for it."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tocsin.eventlog.port import EventLog
from tocsin.record import Partition
from tocsin.web.auth import Principal, requires
from tocsin.web.responses import Json

Operator = Annotated[Principal, Depends(requires("operate"))]

_GROUP: dict[str, Any] = {
    "type": "object",
    "required": ["group", "lag", "topics"],
    "properties": {
        "group": {"type": "string"},
        "lag": {"type": "integer", "minimum": 0, "description": "Records that the group has yet to commit."},
        "topics": {
            "type": "object",
            "additionalProperties": {"type": "integer", "minimum": 1},
            "description": "The same by topic, without those that have none.",
        },
    },
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Every group, in the order in which work passes through them",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["items"],
                    "properties": {"items": {"type": "array", "items": _GROUP}},
                }
            }
        },
    }
}


def router(log: EventLog, groups: Sequence[str]) -> APIRouter:
    """Return the route."""
    routes = APIRouter(tags=["operations"])

    async def lag(_: Operator) -> Response:
        lags = await asyncio.gather(*(log.group_lag(group) for group in groups))
        return Json({"items": [_view(group, lag) for group, lag in zip(groups, lags, strict=True)]})

    routes.add_api_route(
        "/v1/lag", lag, methods=["GET"], summary="How far each consumer group is behind", responses=_ANSWERS
    )
    return routes


def _view(group: str, lag: Mapping[Partition, int]) -> dict[str, Any]:
    topics: dict[str, int] = {}
    for partition, count in sorted(lag.items()):
        if count:
            topics[partition.topic] = topics.get(partition.topic, 0) + count
    return {"group": group, "lag": sum(topics.values()), "topics": topics}
