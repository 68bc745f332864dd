"""The parameters of a search. A mistyped one is an error: left out, it would list what nobody asked for."""

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import Query, Request
from pydantic import AwareDatetime

from audit.search import Wanted
from tocsin.lifecycle import State
from tocsin.settings import suggest
from tocsin.validation import Fault
from tocsin.web import problems

_METADATA = "metadata."
_MAX_METADATA = 5
_KNOWN = frozenset(
    {"recipient", "address", "state", "channel", "category", "test", "from", "to", "limit", "cursor"}
    | {f"{_METADATA}<key>"}
)


def wanted(
    request: Request,
    *,
    recipient: Annotated[str | None, Query(max_length=512, description="The recipient's id.")] = None,
    address: Annotated[str | None, Query(max_length=512, description="An address, as it was delivered to.")] = None,
    state: Annotated[State | None, Query(description="The notification's state.")] = None,
    channel: Annotated[str | None, Query(max_length=64, description="A channel that it was sent through.")] = None,
    category: Annotated[str | None, Query(max_length=512)] = None,
    test: Annotated[bool | None, Query(description="Only tests, or none of them. A test key lists tests only.")] = None,
    since: Annotated[AwareDatetime | None, Query(alias="from", description="Made at this time or later.")] = None,
    until: Annotated[AwareDatetime | None, Query(alias="to", description="Made before this time.")] = None,
) -> Wanted:
    """Return what the request asks for. Raises ProblemError 422 for parameters that are unknown or come twice."""
    if faults := list(_faults(request)):
        raise problems.invalid(*faults)
    return Wanted(
        recipient=recipient,
        address=address,
        state=state,
        channel=channel,
        category=category,
        test=test,
        since=since,
        until=until,
        metadata={
            name.removeprefix(_METADATA): value
            for name, value in request.query_params.items()
            if name.startswith(_METADATA)
        },
    )


def openapi() -> dict[str, Any]:
    """Return what FastAPI cannot see: the parameters whose names are up to the caller."""
    return {
        "parameters": [
            {
                "name": f"{_METADATA}<key>",
                "in": "query",
                "required": False,
                "description": f"A value of the notification's metadata; up to {_MAX_METADATA} of these.",
                "schema": {"type": "string"},
                "example": "1001",
            }
        ]
    }


def _faults(request: Request) -> Iterator[Fault]:
    seen: set[str] = set()
    for name, _ in request.query_params.multi_items():
        if name in seen:
            yield Fault(pointer=f"/{name}", detail="is given twice")
        elif not _known(name):
            yield Fault(pointer=f"/{name}", detail=f"is not known; {suggest.mend(name, _KNOWN)}")
        seen.add(name)
    if sum(name.startswith(_METADATA) for name in seen) > _MAX_METADATA:
        yield Fault(pointer="", detail=f"at most {_MAX_METADATA} parameters may ask for metadata")


def _known(name: str) -> bool:
    return name in _KNOWN or (name.startswith(_METADATA) and len(name) > len(_METADATA))
