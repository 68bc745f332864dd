"""What a simulator received, over HTTP: listed, counted, forgotten."""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Annotated, Any, Protocol, TypeVar

from fastapi import APIRouter, Query, Response

from tocsin.web.responses import Json

M = TypeVar("M")
M_co = TypeVar("M_co", covariant=True)


class Box(Protocol[M_co]):
    """The newest messages, bounded in number, and counts that forget nothing."""

    @property
    def total(self) -> int:
        """How many were received."""

    @property
    def kept(self) -> int:
        """How many can still be read."""

    @property
    def by_recipient(self) -> Mapping[str, int]:
        """How many each recipient got."""

    def newest(self, *, recipient: str | None = None) -> Iterator[M_co]:
        """Iterate over those that are kept, the newest first, of one recipient or of all."""

    def clear(self) -> None:
        """Forget every message and every count."""


def router(box: Box[M], summary: Callable[[M], Mapping[str, Any]]) -> APIRouter:
    """Return the routes of a box. `summary` makes JSON of a message."""
    routes = APIRouter()

    @routes.get("/messages")
    async def list_messages(
        recipient: str | None = None, limit: Annotated[int, Query(ge=1, le=10_000)] = 100
    ) -> Response:
        """List the messages that are kept, the newest first, of one recipient or of all."""
        return Json({"messages": [summary(each) for each in islice(box.newest(recipient=recipient), limit)]})

    @routes.get("/counts")
    async def count() -> Response:
        """Count what was received, messages that are no longer kept included."""
        return Json({"total": box.total, "kept": box.kept, "by_recipient": dict(box.by_recipient)})

    @routes.delete("/messages", status_code=204)
    async def clear() -> Response:
        """Forget every message and every count."""
        box.clear()
        return Response(status_code=204)

    return routes
