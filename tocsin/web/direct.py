"""Routes that are called directly: for what is asked for thousands of times a second.

FastAPI finds a route and resolves its handler's parameters anew for each request, which takes longer than to take a
notification in. A direct route is declared like any other and looks the same in OpenAPI, may need nothing but the
request and dependencies that need nothing else, and is found by its method and path alone, before FastAPI looks.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from inspect import iscoroutinefunction
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Receive, Scope, Send

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
Answer = Callable[[Request, Any], Response]


class DirectRoute(APIRoute):
    """A route whose handler is `async (request, **dependencies) -> Response`; each dependency is `async (request)`."""

    def get_route_handler(self) -> Handler:
        """See `APIRoute`. Raises TypeError where the handler needs what is not given here."""
        needs = self.dependant
        if needs.path_params or needs.query_params or needs.header_params or needs.cookie_params or needs.body_params:
            raise TypeError(f"{self.path} takes parameters: it cannot be a direct route")
        dependencies = [_plain(self.path, need) for need in needs.dependencies]
        endpoint = self.endpoint

        async def handle(request: Request) -> Response:
            given = {name: await call(request) for name, call in dependencies}
            response: Response = await endpoint(request, **given)
            return response

        return handle


def _plain(path: str, need: Any) -> tuple[str, Callable[[Request], Any]]:
    """Return a dependency's name and function. Raises TypeError for one that would be left out, or not work."""
    takes = (need.path_params, need.query_params, need.header_params, need.cookie_params, need.body_params)
    function = need.call if iscoroutinefunction(need.call) else getattr(need.call, "__call__", None)  # noqa: B004
    if not need.name or any(takes) or need.dependencies or not iscoroutinefunction(function):
        raise TypeError(f"{path} is a direct route: each dependency must be a named `async (request)` and no more")
    return need.name, need.call


class Direct:
    """ASGI middleware that calls the direct routes of some routers. Whatever else is asked for goes on to FastAPI.

    `answers` has what to answer for an exception, by its type; one that it does not know is raised.
    """

    def __init__(self, app: ASGIApp, *, routers: Sequence[APIRouter], answers: Mapping[Any, Answer]) -> None:
        self._app = app
        self._answers = answers
        self._routes = {
            (method, route.path): (route, route.get_route_handler())
            for router in routers
            for route in router.routes
            if isinstance(route, DirectRoute)
            for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        found = self._routes.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if found is None:
            await self._app(scope, receive, send)
            return
        scope["route"], handle = found
        request = Request(scope, receive, send)
        try:
            response = await handle(request)
        except Exception as error:
            answer = next((self._answers[kind] for kind in type(error).__mro__ if kind in self._answers), None)
            if answer is None:
                raise
            response = answer(request, error)
        await response(scope, receive, send)
