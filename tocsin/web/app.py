"""The one application that a host serves: the services' routers with problems, keys, metrics and health around them."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware

from tocsin.observe.metrics import Metrics
from tocsin.web import docs, failures, health, problems
from tocsin.web.auth import Authenticator
from tocsin.web.direct import Direct
from tocsin.web.measure import Measure
from tocsin.web.responses import Json

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

_OPENAPI = "/openapi.json"
_PROBLEM: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "A problem (RFC 9457)",
        "content": {
            problems.MEDIA_TYPE: {
                "schema": {
                    "type": "object",
                    "required": ["type", "title", "status", "detail"],
                    "properties": {
                        "type": {"type": "string", "format": "uri"},
                        "title": {"type": "string"},
                        "status": {"type": "integer"},
                        "detail": {"type": "string"},
                        "errors": {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "required": ["pointer", "detail"],
                                "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
                            },
                        },
                    },
                }
            }
        },
    }
}


def create_app(
    *,
    title: str,
    version: str,
    routers: Sequence[APIRouter],
    metrics: Metrics,
    authenticator: Authenticator,
    checks: Mapping[str, health.Probe],
    monotonic: Callable[[], float],
    docs_open: bool = True,
    metrics_open: bool = True,
    lifespan: Lifespan | None = None,
    description: str = "",
) -> FastAPI:
    """Return the application. `checks` are asked by `/readyz`; `docs_open` false takes `/docs` and the OpenAPI away."""
    app = FastAPI(
        title=title,
        version=version,
        description=description,
        openapi_url=_OPENAPI if docs_open else None,
        docs_url=None,  # FastAPI's own page loads its code from elsewhere; `docs` adds one that does not
        redoc_url=None,
        redirect_slashes=False,
        # Nobody sets OpenTelemetry up here; FastAPI would look for it anew at each request.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        default_response_class=Json,
        responses=_PROBLEM,
        lifespan=lifespan,
        exception_handlers=dict(failures.handlers()),
        middleware=[
            Middleware(Measure, metrics=metrics, monotonic=monotonic),
            Middleware(failures.Failures),
            Middleware(Direct, routers=routers, answers=failures.handlers()),
        ],
    )
    app.state.authenticator = authenticator
    if docs_open:
        docs.add(app, openapi_url=_OPENAPI)
    for router in routers:
        app.include_router(router)
    app.include_router(health.router(checks=checks, metrics=metrics, metrics_open=metrics_open))
    return app
