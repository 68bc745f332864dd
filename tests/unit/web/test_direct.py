"""Direct routes: found without FastAPI, and otherwise like any other route."""

from collections.abc import Callable
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, Request, Response

from tests.unit.web.support import Keys, Serve, slug
from tocsin.errors import LogUnavailable
from tocsin.observe.metrics import Metrics
from tocsin.web import problems
from tocsin.web.auth import Principal, requires
from tocsin.web.direct import DirectRoute


def routes() -> APIRouter:
    async def post(request: Request, principal: Annotated[Principal, Depends(requires("submit"))]) -> Response:
        match await request.body():
            case b"malformed":
                raise problems.malformed("So it is.")
            case b"away":
                raise LogUnavailable("gone")
            case b"bug":
                raise ZeroDivisionError
            case body:
                return Response(body + b" for " + principal.tenant.encode(), status_code=202)

    router = APIRouter(route_class=DirectRoute)
    router.add_api_route("/direct", post, methods=["POST"], status_code=202, summary="A direct route")
    return router


async def test_it_is_called_with_its_dependencies_and_measured_under_its_path(
    serve: Serve, keys: Keys, metrics: Metrics
) -> None:
    plain = keys.add("submit")
    async with serve(routes()) as client:
        answer = await client.post("/direct", content=b"mail", headers={"X-API-Key": plain})
        assert (answer.status_code, answer.content) == (202, b"mail for default")
        assert slug(await client.post("/direct", content=b"mail")) == "unauthorized"
    assert b'route="/direct"' in metrics.render()[0]


@pytest.mark.parametrize(
    ("body", "expected"), [("malformed", "malformed"), ("away", "unavailable"), ("bug", "internal")]
)
async def test_its_errors_are_problems(serve: Serve, keys: Keys, body: str, expected: str) -> None:
    plain = keys.add("submit")
    async with serve(routes()) as client:
        assert slug(await client.post("/direct", content=body, headers={"X-API-Key": plain})) == expected


async def test_other_methods_and_paths_are_fastapis(serve: Serve) -> None:
    async with serve(routes()) as client:
        assert slug(await client.get("/direct")) == "method-not-allowed"
        assert slug(await client.post("/direct/")) == "not-found"
        document = (await client.get("/openapi.json")).json()
    assert document["paths"]["/direct"]["post"]["security"] == [{"ApiKey": []}]


def test_a_handler_that_takes_parameters_is_refused() -> None:
    async def get(request: Request, limit: int) -> Response:
        raise NotImplementedError

    with pytest.raises(TypeError, match="takes parameters"):
        APIRouter(route_class=DirectRoute).add_api_route("/direct", get)


async def needs_a_parameter(request: Request, limit: int) -> None:
    raise NotImplementedError


def is_not_async(request: Request) -> None:
    raise NotImplementedError


@pytest.mark.parametrize("dependency", [needs_a_parameter, is_not_async])
def test_a_dependency_that_would_not_work_is_refused(dependency: Callable[..., Any]) -> None:
    async def get(request: Request, given: Annotated[None, Depends(dependency)]) -> Response:
        raise NotImplementedError

    with pytest.raises(TypeError, match="each dependency"):
        APIRouter(route_class=DirectRoute).add_api_route("/direct", get)


def test_a_dependency_without_a_name_is_refused_rather_than_left_out() -> None:
    """FastAPI gives those of a route or a router no name; to leave out one that asks for a key would open the route."""

    async def get(request: Request) -> Response:
        raise NotImplementedError

    guard = Depends(requires("admin"))
    with pytest.raises(TypeError, match="each dependency"):
        APIRouter(route_class=DirectRoute).add_api_route("/direct", get, dependencies=[guard])
    with pytest.raises(TypeError, match="each dependency"):
        APIRouter(route_class=DirectRoute, dependencies=[guard]).add_api_route("/direct", get)
