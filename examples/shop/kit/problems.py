"""Errors as problem details (RFC 9457): `application/problem+json` with `errors: [{"pointer", "detail"}]`.

A handler raises one; the application (`app`) turns it into the answer. Nothing repeats what the client sent.
"""

from collections.abc import Mapping
from typing import Any

from fastapi.responses import JSONResponse

MEDIA_TYPE = "application/problem+json"
_TYPE = "urn:tocsin-shop:problem:"
_TITLES = {
    400: ("malformed", "The request cannot be read"),
    404: ("not-found", "There is nothing here"),
    405: ("method-not-allowed", "This method is not allowed here"),
    409: ("conflict", "The request conflicts with what is there"),
    413: ("too-large", "The request is too large"),
    415: ("unsupported", "The body's format is not supported"),
    422: ("invalid", "The request is not valid"),
    500: ("internal", "Something went wrong inside the shop"),
    503: ("unavailable", "The shop cannot do this now"),
}


class ProblemError(Exception):
    """An answer that is an error. `faults` are details by JSON Pointer (RFC 6901) into the body."""

    def __init__(self, status: int, detail: str, *, faults: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status
        self.detail = detail
        self.faults = faults or {}


def not_found(detail: str) -> ProblemError:
    """Return 404: there is no such thing."""
    return ProblemError(404, detail)


def conflict(detail: str) -> ProblemError:
    """Return 409: the state of things does not allow it."""
    return ProblemError(409, detail)


def invalid(faults: Mapping[str, str]) -> ProblemError:
    """Return 422: what came can be read, and is wrong at these pointers."""
    pointer, detail = next(iter(faults.items()))
    more = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
    return ProblemError(422, f"{pointer or 'the body'} {detail}{more}", faults=faults)


def answer(problem: ProblemError) -> JSONResponse:
    """Return the problem as an answer."""
    slug, title = _TITLES.get(problem.status, ("error", "The request was not answered"))
    document: dict[str, Any] = {
        "type": _TYPE + slug,
        "title": title,
        "status": problem.status,
        "detail": problem.detail,
    }
    if problem.faults:
        document["errors"] = [{"pointer": pointer, "detail": detail} for pointer, detail in problem.faults.items()]
    headers = {"Retry-After": "1"} if problem.status == 503 else None  # noqa: PLR2004 - RFC 9110, 15.6.4
    return JSONResponse(document, problem.status, headers=headers, media_type=MEDIA_TYPE)
