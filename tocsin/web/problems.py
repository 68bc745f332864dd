"""Errors as problem details (RFC 9457): `application/problem+json` with `errors: [{"pointer", "detail"}]`.

A handler raises one of these; the application's handlers (`failures`) turn it into the answer. A type is
`urn:tocsin:problem:<slug>`; the slug is what a program looks at, the title and the detail are for people.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from math import ceil
from types import MappingProxyType
from typing import Any

from tocsin.validation import Fault
from tocsin.web.responses import Json

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:tocsin:problem:"

_NONE: Mapping[str, Any] = MappingProxyType({})
_TITLES = {
    "malformed": "The request cannot be read",
    "invalid": "The request is not valid",
    "unauthorized": "An API key is needed",
    "forbidden": "The API key does not allow this",
    "not-found": "There is nothing here",
    "method-not-allowed": "This method is not allowed here",
    "conflict": "The request conflicts with another one",
    "too-large": "The request is too large",
    "unsupported": "The body's format is not supported",
    "too-many-requests": "Too many requests",
    "unavailable": "The gateway cannot do this now",
    "not-ready": "The gateway is not ready",
    "internal": "Something went wrong inside the gateway",
}


class ProblemError(Exception):
    """An answer that is an error. `extra` are further members of the problem, such as the id of what was submitted."""

    def __init__(
        self,
        status: int,
        slug: str,
        detail: str,
        *,
        faults: Sequence[Fault] = (),
        headers: Mapping[str, str] = _NONE,
        extra: Mapping[str, Any] = _NONE,
    ) -> None:
        super().__init__(f"{status} {slug}: {detail}")
        self.status = status
        self.slug = slug
        self.detail = detail
        self.faults = tuple(faults)
        self.headers = headers
        self.extra = extra

    def members(self) -> dict[str, Any]:
        """Return the members of the problem document. An item of a batch carries them as they are."""
        document: dict[str, Any] = {
            "type": TYPE_PREFIX + self.slug,
            "title": _TITLES.get(self.slug, self.slug.replace("-", " ").capitalize()),
            "status": self.status,
            "detail": self.detail,
        }
        if self.faults:
            document["errors"] = [{"pointer": fault.pointer, "detail": fault.detail} for fault in self.faults]
        return {**self.extra, **document}


def response(problem: ProblemError) -> Json:
    """Return the problem as an answer."""
    return Json(problem.members(), problem.status, headers=problem.headers, media_type=MEDIA_TYPE)


def malformed(detail: str) -> ProblemError:
    """Return 400: what came cannot be read."""
    return ProblemError(400, "malformed", detail)


def invalid(*faults: Fault) -> ProblemError:
    """Return 422: what came can be read, and is wrong at these places."""
    first = f"{faults[0].pointer or 'the body'} {faults[0].detail}"
    detail = first if len(faults) == 1 else f"{first}, and {len(faults) - 1} more"
    return ProblemError(422, "invalid", detail, faults=faults)


def not_found(detail: str) -> ProblemError:
    """Return 404: there is no such thing, or it is another tenant's, which must look the same."""
    return ProblemError(404, "not-found", detail)


def conflict(detail: str, *, slug: str = "conflict", extra: Mapping[str, Any] = _NONE) -> ProblemError:
    """Return 409: the state of things does not allow it."""
    return ProblemError(409, slug, detail, extra=extra)


def too_large(detail: str, *, close: bool = False) -> ProblemError:
    """Return 413. `close` ends the connection, since the rest of the body will not be read."""
    return ProblemError(413, "too-large", detail, headers={"Connection": "close"} if close else _NONE)


def too_many_requests(detail: str, *, retry_after: timedelta) -> ProblemError:
    """Return 429: the caller sends too fast."""
    return ProblemError(429, "too-many-requests", detail, headers=_wait(retry_after))


def unavailable(
    detail: str, *, retry_after: timedelta = timedelta(seconds=1), extra: Mapping[str, Any] = _NONE
) -> ProblemError:
    """Return 503: nothing is wrong with the request; it may be repeated after `retry_after`."""
    return ProblemError(503, "unavailable", detail, headers=_wait(retry_after), extra=extra)


def _wait(retry_after: timedelta) -> dict[str, str]:
    """Return the header, in whole seconds (RFC 9110, 10.2.3): rounded up, for an early repeat is in vain."""
    return {"Retry-After": str(max(1, ceil(retry_after.total_seconds())))}
