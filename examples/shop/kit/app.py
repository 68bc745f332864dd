"""The application around the services' routers: problems for whatever goes wrong, and a bound for what comes in."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from loguru import logger
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from examples.shop.kit import problems
from examples.shop.kit.database import DatabaseUnavailable
from examples.shop.kit.problems import ProblemError

_MOST_BYTES = 64 * 1024
_BODY = "body"
_DETAILS = {
    400: "the body is not JSON",
    404: "there is no such path",
    405: "this path does not know this method",
    413: f"the body has more than {_MOST_BYTES} bytes",
}
_WORDS = {
    "missing": "is required",
    "extra_forbidden": "is not known here",
    "string_type": "must be a string",
    "int_type": "must be an integer",
    "list_type": "must be a list",
    "model_attributes_type": "must be an object",
    "dict_type": "must be an object",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
    "decimal_max_places": "must have at most two decimals",
}
_BOUNDS = {
    "greater_than": ("must be more than", "gt"),
    "greater_than_equal": ("must be at least", "ge"),
    "less_than_equal": ("must be at most", "le"),
    "string_too_long": ("must not have more characters than", "max_length"),
    "too_long": ("must not have more items than", "max_length"),
}


def create_app(routers: Sequence[APIRouter], *, title: str = "Tocsin's shop", **options: Any) -> FastAPI:
    """Return the application of these routers. `options` are FastAPI's."""
    app = FastAPI(
        title=title,
        redirect_slashes=False,
        exception_handlers={
            ProblemError: _problem,
            RequestValidationError: _invalid,
            HTTPException: _refused,
            DatabaseUnavailable: _unavailable,
            Exception: _failed,
        },
        **options,
    )
    app.add_middleware(Bounded)
    for router in routers:
        app.include_router(router)
    return app


class Bounded:
    """Refuses bodies above 64 KiB with 413, before they are read to their end, and addresses that hold a NUL.

    No database keeps that character, so nothing can have such a name.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if "\0" in scope["path"] or b"%00" in scope["query_string"]:
            await problems.answer(ProblemError(404, _DETAILS[404]))(scope, receive, send)
            return
        await self._app(scope, _counted(receive), send)


def _counted(receive: Receive) -> Callable[[], Awaitable[Message]]:
    taken = 0

    async def counting() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > _MOST_BYTES:
            # The kind of error that FastAPI lets pass while it reads a body.
            raise HTTPException(413)
        return message

    return counting


async def _problem(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ProblemError)  # noqa: S101 - registered for this type alone
    return problems.answer(error)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this type alone
    found = error.errors()
    if any(each["type"] == "json_invalid" for each in found):
        return problems.answer(ProblemError(400, _DETAILS[400]))
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json" and all(
        _pointer(each["loc"]) == "" for each in found
    ):
        return problems.answer(ProblemError(415, "send JSON, with `Content-Type: application/json`"))
    return problems.answer(problems.invalid({_pointer(each["loc"]): _worded(each) for each in found}))


async def _refused(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type alone
    detail = _DETAILS.get(error.status_code, "the request was refused")
    return problems.answer(ProblemError(error.status_code, detail))


async def _unavailable(_request: Request, _error: Exception) -> JSONResponse:
    return problems.answer(ProblemError(503, "the database cannot be used now; nothing was done, try again"))


async def _failed(_request: Request, error: Exception) -> JSONResponse:
    # An error's text may quote what was sent; its type does not.
    logger.error("shop_request_failed", error=type(error).__name__)
    return problems.answer(ProblemError(500, "a bug; nothing was done"))


def _pointer(place: Sequence[Any]) -> str:
    """Return where a fault is, as a JSON Pointer into the body; in the query, the parameter's name.

    A body of one of several forms has the form's name in its place, in angle brackets.
    """
    steps = [str(step) for step in place if not str(step).startswith("<")]
    if steps[:1] == [_BODY]:
        return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps[1:])
    return steps[-1]


def _worded(fault: Mapping[str, Any]) -> str:
    kind, context = fault["type"], fault.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind in _BOUNDS:
        words, bound = _BOUNDS[kind]
        return f"{words} {context[bound]}"
    return _WORDS.get(kind, "is not valid")
