"""The application around the routers: problems for whatever goes wrong, metrics by route, health."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, HTTPException, Path, Request
from loguru import logger
from starlette.responses import StreamingResponse

from tests.unit.web.support import Keys, Serve, pointers, slug
from tocsin.errors import LogFull, LogUnavailable
from tocsin.observe.metrics import Metrics
from tocsin.validation import Fault
from tocsin.web import problems
from tocsin.web.health import Check
from tocsin.web.measure import template
from tocsin.web.responses import Json


def raising(error: Exception) -> APIRouter:
    routes = APIRouter(prefix="/v1")

    @routes.get("/things/{thing}")
    async def thing(thing: Annotated[int, Path(le=9)]) -> Json:  # noqa: ARG001
        raise error

    return routes


async def answer(serve: Serve, error: Exception, path: str = "/v1/things/1") -> Any:
    async with serve(raising(error)) as client:
        return await client.get(path)


async def test_problem_has_all_its_members(serve: Serve) -> None:
    fault = Fault(pointer="/recipient/email", detail="is required")
    response = await answer(serve, problems.invalid(fault))

    assert response.status_code == 422
    assert response.json() == {
        "type": "urn:tocsin:problem:invalid",
        "title": "The request is not valid",
        "status": 422,
        "detail": "/recipient/email is required",
        "errors": [{"pointer": "/recipient/email", "detail": "is required"}],
    }


def test_problem_of_many_faults_counts_them() -> None:
    assert problems.invalid(*[Fault(pointer="", detail="x")] * 3).detail == "the body x, and 2 more"


@pytest.mark.parametrize(
    ("problem", "status", "retry_after"),
    [
        (problems.unavailable("x", retry_after=timedelta(seconds=1.2), extra={"id": "ntf_1"}), 503, "2"),
        (problems.too_many_requests("x", retry_after=timedelta(0)), 429, "1"),
        (problems.conflict("x", slug="idempotency-mismatch", extra={"id": "ntf_1"}), 409, None),
        (problems.not_found("x"), 404, None),
        (LogUnavailable("/secret/disk"), 503, "1"),
        (LogFull("/secret/disk"), 503, "1"),
    ],
)
async def test_problems_by_kind(serve: Serve, problem: Exception, status: int, retry_after: str | None) -> None:
    response = await answer(serve, problem)
    slug(response)

    assert response.status_code == status
    assert response.headers.get("retry-after") == retry_after
    assert "/secret" not in response.text
    assert response.json().get("id") == (
        dict(problem.extra).get("id") if isinstance(problem, problems.ProblemError) else None
    )


async def test_bad_parameters_are_a_problem(serve: Serve) -> None:
    response = await answer(serve, ValueError(), "/v1/things/ten")

    assert response.status_code == 422
    assert slug(response) == "invalid"
    assert pointers(response) == ["/thing"]
    assert "ten" not in response.text


async def test_nothing_there_and_wrong_method_are_problems(serve: Serve) -> None:
    async with serve(raising(ValueError())) as client:
        nothing, method = await client.get("/nope"), await client.post("/v1/things/1")

    assert slug(nothing) == "not-found"
    assert "/nope" in nothing.json()["detail"]
    assert slug(method) == "method-not-allowed"
    assert method.headers["allow"] == "GET"


async def test_http_exceptions_of_others_are_problems(serve: Serve) -> None:
    gone, missing = HTTPException(410, "gone", headers={"X-A": "b"}), HTTPException(404, "no such page")
    response = await answer(serve, gone)

    assert slug(response) == "http-410"
    assert response.headers["x-a"] == "b"
    assert (await answer(serve, missing)).json()["detail"] == "no such page"


async def test_unexpected_error_is_told_to_the_log_only(serve: Serve) -> None:
    lines: list[Any] = []
    sink = logger.add(lines.append, format="{message}", level="ERROR")
    try:
        response = await answer(serve, ZeroDivisionError("secret inside"))
    finally:
        logger.remove(sink)

    assert response.status_code == 500
    assert slug(response) == "internal"
    assert "secret" not in response.text
    assert [line.record["message"] for line in lines] == ["request_failed"]
    assert lines[0].record["extra"] == {"method": "GET", "route": "/v1/things/{thing}"}
    assert isinstance(lines[0].record["exception"].value, ZeroDivisionError)


async def test_an_error_in_the_middle_of_an_answer_breaks_it_off(serve: Serve) -> None:
    routes = APIRouter()

    async def half() -> Any:
        yield b"x"
        raise ZeroDivisionError

    @routes.get("/half")
    async def stream() -> StreamingResponse:
        return StreamingResponse(half())

    with pytest.raises((ZeroDivisionError, ExceptionGroup)):
        async with serve(routes) as client:
            await client.get("/half")


@pytest.mark.parametrize("path", ["/v1/things/%00", "/v1/things/1?a=%00"])
async def test_urls_that_no_store_can_keep_are_refused(serve: Serve, path: str) -> None:
    response = await answer(serve, ValueError(), path)

    assert response.status_code == 400
    assert slug(response) == "malformed"


async def test_requests_are_counted_by_template(serve: Serve, metrics: Metrics) -> None:
    async with serve(raising(problems.not_found("x"))) as client:
        await client.get("/v1/things/1")
        await client.get("/v1/things/2")
        await client.post("/v1/things/3")
        await client.get("/alice@example.com")
        await client.request("BREW", "/pot")
    told = metrics.render()[0].decode()

    assert 'tocsin_http_requests_total{method="GET",route="/v1/things/{thing}",status="404"} 2.0' in told
    assert 'tocsin_http_requests_total{method="POST",route="/v1/things/{thing}",status="405"} 1.0' in told
    assert 'tocsin_http_requests_total{method="GET",route="unmatched",status="404"} 1.0' in told
    assert 'tocsin_http_requests_total{method="other",route="unmatched",status="404"} 1.0' in told
    assert 'tocsin_http_request_seconds_count{route="/v1/things/{thing}"} 3.0' in told
    assert "alice" not in told


async def test_template_of_routers_within_routers(serve: Serve) -> None:
    inner, outer = APIRouter(prefix="/b"), APIRouter(prefix="/a")
    seen: list[str] = []

    @inner.get("/{c}")
    async def leaf(c: str, request: Request) -> Json:  # noqa: ARG001
        seen.append(template(request.scope))
        return Json(None)

    outer.include_router(inner, prefix="/x")
    async with serve(outer) as client:
        await client.get("/a/x/b/1")

    assert seen == ["/a/x/b/{c}"]


async def test_unexpected_errors_are_counted(serve: Serve, metrics: Metrics) -> None:
    await answer(serve, ZeroDivisionError())

    assert 'route="/v1/things/{thing}",status="500"} 1.0' in metrics.render()[0].decode()


async def test_json_takes_structs_and_times(serve: Serve) -> None:
    routes = APIRouter()

    @routes.get("/t")
    async def t() -> Json:
        return Json({"at": datetime(2026, 1, 2, tzinfo=UTC), "fault": Fault(pointer="/a", detail="b")})

    async with serve(routes) as client:
        response = await client.get("/t")

    assert response.json() == {"at": "2026-01-02T00:00:00Z", "fault": {"pointer": "/a", "detail": "b"}}
    assert response.headers["content-type"] == "application/json"


async def test_alive_needs_nothing(serve: Serve) -> None:
    async with serve(checks={"log": lambda: Check(ok=False)}) as client:
        assert (await client.get("/healthz")).json() == {"status": "ok"}


def later(check: Check) -> Callable[[], Awaitable[Check]]:
    async def probe() -> Check:
        return check

    return probe


async def test_ready_when_all_checks_say_so(serve: Serve) -> None:
    checks = {"log": lambda: Check(ok=True, detail="writable"), "store": later(Check(ok=True))}
    async with serve(checks=checks) as client:
        response = await client.get("/readyz")

    assert response.status_code == 200
    assert response.json() == {
        "status": "ready",
        "checks": {"log": {"ok": True, "detail": "writable"}, "store": {"ok": True, "detail": ""}},
    }


async def test_not_ready_names_what_fails_and_keeps_secrets(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin.web.health._CHECK_SECONDS", 0.001)

    async def hangs() -> Check:
        await asyncio.Event().wait()
        raise AssertionError

    def breaks() -> Check:
        raise ZeroDivisionError("secret")

    checks = {
        "ok": later(Check(ok=True)),
        "store": later(Check(ok=False, detail="postgresql://u:hunter2@db")),
        "kafka": hangs,
        "log": breaks,
    }
    async with serve(checks=checks) as client:
        response = await client.get("/readyz")

    assert response.status_code == 503
    assert slug(response) == "not-ready"
    assert response.headers["retry-after"] == "1"
    assert response.json()["detail"] == "Not ready: store, kafka, log."
    assert response.json()["checks"]["log"] == {"ok": False, "detail": "the check failed: ZeroDivisionError"}
    assert response.json()["checks"]["kafka"] == {"ok": False, "detail": "no answer within 0.001 s"}
    assert "hunter2" not in response.text
    assert "secret" not in response.text


async def test_metrics_are_open_or_need_a_key(serve: Serve, keys: Keys) -> None:
    async with serve() as client:
        opened = await client.get("/metrics")
    async with serve(metrics_open=False) as client:
        closed = await client.get("/metrics")
        let_in = await client.get("/metrics", headers={"X-API-Key": keys.add("read")})

    assert "tocsin_build_info" in opened.text
    assert opened.headers["content-type"].startswith("text/plain; version=")
    assert closed.status_code == 401
    assert let_in.status_code == 200


async def test_docs_are_open_or_gone(serve: Serve) -> None:
    async with serve(raising(ValueError())) as client:
        document = (await client.get("/openapi.json")).json()
        docs = await client.get("/docs")
    async with serve(docs_open=False) as client:
        gone = [(await client.get(path)).status_code for path in ("/docs", "/openapi.json", "/redoc")]

    operation = document["paths"]["/v1/things/{thing}"]["get"]
    assert "application/problem+json" in operation["responses"]["default"]["content"]
    assert "422" not in operation["responses"]
    assert docs.status_code == 200
    assert gone == [404, 404, 404]


async def test_trailing_slashes_are_not_redirected(serve: Serve) -> None:
    async with serve(raising(ValueError())) as client:
        assert (await client.get("/v1/things/1/")).status_code == 404
