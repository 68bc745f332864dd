"""The shop under one address where its services run apart: what is another's is handed on to it, and so is its answer.

A page comes from one place, and asks that place for everything.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import httpx
from fastapi import APIRouter, Request, Response

from examples.shop.kit import problems
from examples.shop.kit.problems import ProblemError

# What each service answers: these paths, and those below them.
PATHS: Mapping[str, tuple[str, ...]] = {
    "customers": ("/customers",),
    "orders": ("/orders", "/api/orders", "/create-order"),
    "payments": ("/payments",),
    "inventory": ("/products", "/stock"),
    "shipping": ("/shipments",),
}
_METHODS = ["GET", "POST", "PUT", "DELETE"]
_SECONDS = 15.0
_KEPT = ("content-type", "retry-after")


@asynccontextmanager
async def opened(places: Mapping[str, str]) -> AsyncIterator[APIRouter]:
    """Yield the routes that hand on to these services, by the URL of each. Connections are kept while it is open."""
    async with httpx.AsyncClient(timeout=_SECONDS, trust_env=False) as client:
        routes = APIRouter(include_in_schema=False)
        for service, url in places.items():
            hand = _handing(client, url.rstrip("/"))
            for path in PATHS[service]:
                routes.add_api_route(path, hand, methods=_METHODS)
                routes.add_api_route(path + "/{below:path}", hand, methods=_METHODS)
        yield routes


def _handing(client: httpx.AsyncClient, url: str) -> Callable[[Request], Awaitable[Response]]:
    """Return the handler that hands requests on to the service at `url`."""

    async def hand(request: Request) -> Response:
        path = request.scope["raw_path"].decode("ascii")
        query = f"?{request.url.query}" if request.url.query else ""
        headers = {name: value for name in _KEPT if (value := request.headers.get(name))}
        body = await request.body()
        try:
            answer = await client.request(request.method, f"{url}{path}{query}", content=body, headers=headers)
        except httpx.HTTPError:
            return problems.answer(ProblemError(503, "the service that does this does not answer; try again"))
        headers = {name: value for name in _KEPT if (value := answer.headers.get(name))}
        return Response(answer.content, answer.status_code, headers=headers)

    return hand
