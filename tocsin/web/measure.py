"""Counts and times requests by route template. Pure ASGI: Starlette's base class would cost more than the request."""

from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tocsin.observe.metrics import Metrics

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# What nginx calls "client closed request": no answer was sent.
_UNANSWERED = 499


class Measure:
    """ASGI middleware. Labels are templates, never paths: a path may hold an address, and there is no end of them."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, monotonic: Callable[[], float]) -> None:
        self._app = app
        self._metrics = metrics
        self._monotonic = monotonic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = _UNANSWERED

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        started = self._monotonic()
        try:
            await self._app(scope, receive, watched)
        finally:
            route = template(scope)
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.http_requests(method, route, str(status)).inc()
            self._metrics.http_seconds(route).observe(self._monotonic() - started)


def template(scope: Scope) -> str:
    """Return the template of the route that was taken, `unmatched` where there was none.

    Newer FastAPI keeps included routers whole: the route then knows its path only from that router on, and the whole
    template is in a context beside it.
    """
    context = scope.get("fastapi", {}).get("effective_route_context")
    for holder, name in ((context, "path_format"), (scope.get("route"), "path")):
        if found := getattr(holder, name, None):
            return str(found)
    return "unmatched"
