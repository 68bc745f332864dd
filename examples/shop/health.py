"""`/healthz`: the process is alive. `/readyz`: its loops do their work, or which halts. `/metrics`: for Prometheus."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from examples.shop.kit.service import Loop

# The text of all metrics, and its content type.
Render = Callable[[], tuple[bytes, str]]


def router(loops: Sequence[Loop], *, render: Render) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["health"])

    async def healthz() -> Mapping[str, str]:
        """Tell that the process is alive."""
        return {"status": "ok"}

    async def readyz() -> JSONResponse:
        """Tell whether the loops do their work; 503 names those that halt, and why."""
        halted = {loop.name: loop.detail for loop in loops if not loop.healthy}
        document: dict[str, Any] = {"status": "halted" if halted else "ready", "halted": halted}
        return JSONResponse(document, 503 if halted else 200)

    async def metrics() -> Response:
        """Return the metrics in Prometheus' text format."""
        body, content_type = render()
        return Response(body, media_type=content_type)

    routes.add_api_route("/healthz", healthz)
    routes.add_api_route("/readyz", readyz)
    routes.add_api_route("/metrics", metrics, response_class=PlainTextResponse)
    return routes
