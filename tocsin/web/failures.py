"""Whatever goes wrong, the answer is a problem document: handlers for the application, and a net below them.

Infrastructure that is away is 503. Anything unexpected is 500 without a word of what it was, and one log line with
all of it. Sits inside the metrics, so that a 500 is counted as one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError
from loguru import logger
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tocsin.errors import LogFull, LogUnavailable, StoreUnavailable
from tocsin.validation import Fault, pointer
from tocsin.web import problems
from tocsin.web.measure import template
from tocsin.web.problems import ProblemError

Handler = Callable[[Request, Any], Response]

_AWAY = {
    LogUnavailable: "The event log cannot take writes now. Nothing of this request was accepted; repeat it.",
    LogFull: "The event log is full until retention makes room. Nothing of this request was accepted; repeat it.",
    StoreUnavailable: "The store cannot be reached now. Repeat the request.",
}
_INTERNAL = ProblemError(500, "internal", "The error was logged. Repeating the request may help.")


def handlers() -> Mapping[Any, Handler]:
    """Return the application's exception handlers."""
    away = dict.fromkeys(_AWAY, _unavailable)
    return {ProblemError: _problem, RequestValidationError: _parameters, HTTPException: _http, **away}


def _problem(_: Request, error: ProblemError) -> Response:
    return problems.response(error)


def _unavailable(_: Request, error: Exception) -> Response:
    logger.warning("request_unavailable", error=error)
    told = next(told for kind, told in _AWAY.items() if isinstance(error, kind))
    return problems.response(problems.unavailable(told))


def _parameters(_: Request, error: RequestValidationError) -> Response:
    """Answer for what FastAPI checks: parameters of path, query and header. The pointer is the parameter's name."""
    return problems.response(problems.invalid(*_faults(error.errors())))


def _faults(errors: Sequence[Mapping[str, Any]]) -> Iterator[Fault]:
    for error in errors:
        yield Fault(pointer=pointer(list(error["loc"])[1:]), detail=str(error["msg"]).replace("Input should", "must"))


def _http(request: Request, error: HTTPException) -> Response:
    match error.status_code:
        case 404:
            own = error.detail != "Not Found"
            problem = problems.not_found(str(error.detail) if own else f"Nothing is served at {request.url.path}.")
        case 405:
            allowed = (error.headers or {}).get("Allow", "")
            problem = ProblemError(405, "method-not-allowed", f"Allowed: {allowed}.", headers={"Allow": allowed})
        case status:
            slug = "malformed" if status == 400 else f"http-{status}"  # noqa: PLR2004 -- an HTTP status
            problem = ProblemError(status, slug, str(error.detail), headers=error.headers or {})
    return problems.response(problem)


class Failures:
    """ASGI middleware that answers what no handler answered, and refuses URLs with a NUL, which no store can keep."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if "\0" in scope["path"] or b"%00" in scope["query_string"]:
            await problems.response(problems.malformed("The URL holds a NUL character."))(scope, receive, send)
            return
        await self._guarded(scope, receive, send)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except ClientDisconnect:
            pass  # nobody is there to be answered
        except Exception:
            if started:
                raise  # half an answer is out: only breaking the connection tells the client; the server logs it
            logger.exception("request_failed", method=scope["method"], route=template(scope))
            await problems.response(_INTERNAL)(scope, receive, send)
