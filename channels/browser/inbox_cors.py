"""Pages of other origins: which may ask for an inbox, and what their browsers are told (WHATWG Fetch, section 3.3).

No cookie is involved and none is allowed: the ticket in the URL is all that counts.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from tocsin.errors import SettingsError
from tocsin.web import failures

ANY = "*"
_DAY_SECONDS = 24 * 60 * 60

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def checked(origins: Sequence[str]) -> frozenset[str]:
    """Return the origins. Raises SettingsError for what no browser would ever call an origin."""
    for origin in origins:
        parts = urlsplit(origin)
        whole = parts.scheme in ("https", "http") and f"{parts.scheme}://{parts.netloc}" == origin.lower()
        if origin != ANY and not (whole and parts.hostname and origin == origin.lower()):
            raise SettingsError(f'inbox.origins: "{origin}" must be like https://shop.example.com, or *')
    return frozenset(origins)


def route_class(origins: frozenset[str]) -> type[APIRoute]:
    """Return a class of routes whose answers, problems too, pages of these origins may read."""
    answers = failures.handlers()

    class CorsRoute(APIRoute):
        """A route that pages may ask for."""

        def get_route_handler(self) -> Handler:
            """See `APIRoute`."""
            handle = super().get_route_handler()

            async def handled(request: Request) -> Response:
                try:
                    response = await handle(request)
                except tuple(answers) as error:
                    kind = next(kind for kind in type(error).__mro__ if kind in answers)
                    response = answers[kind](request, error)
                response.headers.update(told(request, origins))
                return response

            return handled

    return CorsRoute


def add_preflight(router: APIRouter, path: str, *, methods: str) -> None:
    """Answer the question that browsers ask before a request that is not a simple one."""

    async def answer() -> Response:
        headers = {
            "Access-Control-Allow-Methods": methods,
            "Access-Control-Allow-Headers": "Content-Type, Last-Event-ID",
            "Access-Control-Max-Age": str(_DAY_SECONDS),
        }
        return Response(status_code=204, headers=headers)

    router.add_api_route(path, answer, methods=["OPTIONS"], include_in_schema=False)


def told(request: Request, origins: frozenset[str]) -> Mapping[str, str]:
    """Return what the browser is told: nothing of who else may ask."""
    if not origins:
        return {}
    origin = request.headers.get("origin", "")
    if origin not in origins and ANY not in origins:
        return {"Vary": "Origin"}
    return {
        "Access-Control-Allow-Origin": ANY if ANY in origins else origin,
        "Access-Control-Expose-Headers": "Retry-After",
        "Vary": "Origin",
    }
