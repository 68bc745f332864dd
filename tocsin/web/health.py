"""`/healthz`: the process is alive. `/readyz`: it can do its work; what cannot is named. `/metrics`: for Prometheus."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any

from fastapi import APIRouter, Depends
from starlette.responses import PlainTextResponse, Response

from tocsin.observe import redaction
from tocsin.observe.metrics import Metrics
from tocsin.web import problems
from tocsin.web.auth import requires
from tocsin.web.described import FLAG, TEXT, answer, record
from tocsin.web.problems import ProblemError
from tocsin.web.responses import Json

_CHECK_SECONDS = 2.0
_STATUS: dict[str, Any] = {"status": TEXT}
_CHECKS: dict[str, Any] = {"type": "object", "additionalProperties": record({"ok": FLAG, "detail": TEXT})}
_ALIVE: dict[int | str, dict[str, Any]] = {200: answer("It is", record(_STATUS), {"status": "ok"})}
_READY: dict[int | str, dict[str, Any]] = {
    200: answer(
        "It can",
        record({**_STATUS, "checks": _CHECKS}),
        {"status": "ready", "checks": {"event_log": {"ok": True, "detail": ""}}},
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What a readiness check found. `detail` is public: no key is needed to read it."""

    ok: bool
    detail: str = ""


Probe = Callable[[], Check | Awaitable[Check]]


def router(*, checks: Mapping[str, Probe], metrics: Metrics, metrics_open: bool) -> APIRouter:
    """Return the routes. With `metrics_open` false, `/metrics` needs a key with the scope `read`."""
    routes = APIRouter(tags=["health"])

    async def healthz() -> Response:
        return Json({"status": "ok"})

    async def readyz() -> Response:
        found = await asyncio.gather(*(_probed(probe) for probe in checks.values()))
        return _readiness(dict(zip(checks, found, strict=True)))

    async def render() -> Response:
        body, content_type = metrics.render()
        return Response(body, media_type=content_type)

    routes.add_api_route("/healthz", healthz, summary="Whether the process is alive", responses=_ALIVE)
    routes.add_api_route("/readyz", readyz, summary="Whether the gateway can do its work", responses=_READY)
    closed = [] if metrics_open else [Depends(requires("read"))]
    routes.add_api_route(
        "/metrics",
        render,
        summary="Metrics for Prometheus",
        response_class=PlainTextResponse,
        dependencies=closed,
    )
    return routes


async def _probed(probe: Probe) -> Check:
    """Return what a check found. One that fails or hangs is one that is not ready, and does not hide the others."""
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            found = probe()
            return await found if isawaitable(found) else found
    except TimeoutError:
        return Check(ok=False, detail=f"no answer within {_CHECK_SECONDS:g} s")
    except Exception as error:  # noqa: BLE001 -- whatever it is, it is why this is not ready
        return Check(ok=False, detail=f"the check failed: {type(error).__name__}")


def _readiness(found: Mapping[str, Check]) -> Response:
    told: dict[str, Any] = {
        name: {"ok": check.ok, "detail": redaction.text(check.detail)} for name, check in found.items()
    }
    failing = [name for name, check in found.items() if not check.ok]
    if not failing:
        return Json({"status": "ready", "checks": told})
    detail = "Not ready: " + ", ".join(failing) + "."
    return problems.response(
        ProblemError(503, "not-ready", detail, headers={"Retry-After": "1"}, extra={"checks": told})
    )
