"""The query of `GET /v1/dlq`: parameters → a filter. What it does not know, it refuses, instead of listing too much."""

from datetime import datetime
from typing import Annotated

import msgspec
from fastapi import Query, Request

from dlq.items import State
from dlq.listing import Filter
from tocsin.validation import Fault
from tocsin.web import problems

_KNOWN = ("channel", "reason", "code", "state", "from", "to", "notification_id", "limit", "cursor")
_Moment = Annotated[datetime, msgspec.Meta(tz=True)]
_TIME = "must be an RFC 3339 time such as 2026-03-01T12:00:00Z; write the + of an offset as %2B"

_MAX_TEXT = 200
_MAX_TIME = 40


def only_known(request: Request) -> None:
    """Refuse parameters that mean nothing here. Raises ProblemError 422."""
    strange = [name for name in request.query_params if name not in _KNOWN]
    if strange:
        detail = f"is not known here; known: {', '.join(_KNOWN)}"
        raise problems.invalid(*(Fault(pointer=f"/{name}", detail=detail) for name in strange))


def wanted(
    *,
    channel: Annotated[str | None, Query(min_length=1, max_length=_MAX_TEXT, examples=["email"])] = None,
    reason: Annotated[str | None, Query(min_length=1, max_length=_MAX_TEXT, examples=["rejected"])] = None,
    code: Annotated[str | None, Query(min_length=1, max_length=_MAX_TEXT, examples=["550 5.1.1"])] = None,
    state: Annotated[State | None, Query(description="What was decided about it.")] = None,
    since: Annotated[str | None, Query(alias="from", max_length=_MAX_TIME, description="Died then or later.")] = None,
    until: Annotated[str | None, Query(alias="to", max_length=_MAX_TIME, description="Died before then.")] = None,
    notification_id: Annotated[str | None, Query(min_length=1, max_length=_MAX_TEXT)] = None,
) -> Filter:
    """Return the filter. Raises ProblemError 422 for a time that is none."""
    return Filter(
        channel=channel,
        reason=reason,
        code=code,
        state=state,
        since=_moment("from", since),
        until=_moment("to", until),
        notification_id=notification_id,
    )


def _moment(name: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return msgspec.convert(text, _Moment)
    except msgspec.ValidationError:
        raise problems.invalid(Fault(pointer=f"/{name}", detail=_TIME)) from None
