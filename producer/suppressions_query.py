"""The query of `/v1/suppressions`: parameters → a filter. What it does not know, it refuses, instead of listing all."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Query, Request

from producer.suppressions_docs import MOST_ADDRESS, MOST_CATEGORY
from tocsin.store.suppressions import Reason
from tocsin.validation import Fault
from tocsin.web import problems

_KNOWN = ("channel", "address", "category", "reason", "limit", "cursor")

Channel = Annotated[str, Query(pattern="^[a-z0-9_-]{1,64}$", examples=["email"])]
Address = Annotated[str, Query(min_length=1, max_length=MOST_ADDRESS, examples=["ada@example.test"])]
Category = Annotated[str, Query(min_length=1, max_length=MOST_CATEGORY, examples=["newsletter"])]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to list; None leaves it open."""

    channel: str | None
    address: str | None
    category: str | None
    reason: Reason | None


def wanted(
    *,
    channel: Channel | None = None,
    address: Address | None = None,
    category: Category | None = None,
    reason: Annotated[Reason | None, Query(description="Why nothing is sent to it.")] = None,
) -> Wanted:
    """Return what is asked for."""
    return Wanted(channel=channel, address=address, category=category, reason=reason)


def only_known(request: Request) -> None:
    """Refuse parameters that mean nothing here. Raises ProblemError 422."""
    strange = [name for name in request.query_params if name not in _KNOWN]
    if strange:
        detail = f"is not known here; known: {', '.join(_KNOWN)}"
        raise problems.invalid(*(Fault(pointer=f"/{name}", detail=detail) for name in strange))
