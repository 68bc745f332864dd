"""`/v1/dlq`: list dead letters, look into one, replay it or discard it. All of it needs the scope `operate`."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from dlq import examples, items, listing, query, reading, views
from dlq.decisions import AlreadyDecided, Answer, Decided, Decisions, Missing, Unreadable
from dlq.items import Item, State
from dlq.listing import Filter, Position
from tocsin.clock import Clock
from tocsin.errors import LogError
from tocsin.eventlog.port import Publisher
from tocsin.store.engine import Store
from tocsin.validation import Fault
from tocsin.web import body, paging, problems
from tocsin.web.auth import Principal, requires
from tocsin.web.problems import ProblemError
from tocsin.web.responses import Json

_MAX_BODY = 1024
_NONCE = 16

Operator = Annotated[Principal, Depends(requires("operate"))]


class Api:
    """The routes of the dead-letter service."""

    def __init__(
        self,
        *,
        store: Store,
        decisions: Decisions,
        publisher: Publisher,
        clock: Clock,
        randbytes: Callable[[int], bytes],
    ) -> None:
        self._store = store
        self._decisions = decisions
        self._publisher = publisher
        self._clock = clock
        self._randbytes = randbytes
        self.router = APIRouter(prefix="/v1/dlq", tags=["dead letters"])
        add = self.router.add_api_route
        add("", self._list, methods=["GET"], summary="List dead letters, newest first", responses=examples.LIST)
        add("/{letter_id}", self._show, methods=["GET"], summary="Look into one", responses=examples.WHOLE)
        add(
            "/{letter_id}/replay",
            self._replay,
            methods=["POST"],
            status_code=202,
            summary="Send it again, as a new life of the same delivery",
            responses=examples.REPLAY,
        )
        add(
            "/{letter_id}/discard",
            self._discard,
            methods=["POST"],
            summary="Give it up for good",
            responses=examples.DISCARD,
        )

    async def _list(
        self,
        principal: Operator,
        _known: Annotated[None, Depends(query.only_known)],
        wanted: Annotated[Filter, Depends(query.wanted)],
        limit: paging.Limit = paging.DEFAULT_LIMIT,
        cursor: paging.Cursor = None,
    ) -> Response:
        """Every filter narrows the list; times are those of the deaths."""
        below = None if cursor is None else paging.read(cursor, Position)
        async with self._store.read() as connection:
            found = await listing.page(connection, wanted, tenant=principal.tenant, below=below, limit=limit + 1)
        letters, next_cursor = paging.page(found, limit=limit, position=listing.position)
        return Json({"items": [views.summary(item) for item in letters], "next_cursor": next_cursor})

    async def _show(self, letter_id: str, principal: Operator) -> Response:
        """The payload as it was accepted, and every attempt. Each reading is an event of the audit."""
        async with self._store.read() as connection:
            item = await items.find(connection, letter_id, tenant=principal.tenant)
            if item is None:
                raise _missing()
            payload = await items.payload(connection, item.id)
        nonce = self._randbytes(_NONCE)
        event = reading.record(item, actor=principal.key_id, now=self._clock.now(), nonce=nonce)
        # First the event, then the payload: nobody has read what the audit does not know of.
        await self._publisher.write([event])
        return Json(views.whole(item, payload))

    async def _replay(self, letter_id: str, request: Request, principal: Operator) -> Response:
        """The delivery is sent as it was accepted, and may live as long as it was meant to then.

        Of a request (channel `requests`) the very bytes are put back on `notifications.requests`.
        """
        await _no_body(request)
        try:
            answer = await self._decisions.replay(letter_id, tenant=principal.tenant, actor=principal.key_id)
        except LogError as error:
            raise _kept(letter_id, error) from error
        return Json(views.replay(_decided(answer)), 202)

    async def _discard(self, letter_id: str, request: Request, principal: Operator) -> Response:
        """It stays in the list, and can no longer be replayed."""
        await _no_body(request)
        try:
            answer = await self._decisions.discard(letter_id, tenant=principal.tenant, actor=principal.key_id)
        except LogError as error:
            raise _kept(letter_id, error) from error
        return Json(views.discard(_decided(answer)))


async def _no_body(request: Request) -> None:
    """Refuse a body that asks for something: whoever sent it would believe that it was heeded."""
    raw = await body.read(request, limit=_MAX_BODY)
    if raw.strip() and body.decode(raw) != {}:
        raise problems.invalid(Fault(pointer="", detail="must be empty: there is nothing to choose"))


def _decided(answer: Answer) -> Item:
    match answer:
        case Decided(item=item):
            return item
        case Missing():
            raise _missing()
        case AlreadyDecided(item=item):
            raise problems.conflict(_why_decided(item), slug="already-decided", extra=_which(item))
        case Unreadable(item=item):
            raise problems.conflict(_why_unreadable(item), slug="not-replayable", extra=_which(item))


def _which(item: Item) -> dict[str, str]:
    return {"id": item.id, "state": item.state}


def _why_decided(item: Item) -> str:
    if item.state is State.DISCARDED:
        return "This dead letter is already discarded."
    if item.state is State.REPLAYING:
        return f"This dead letter is being replayed, as life {item.replay_life}."
    if item.of_request:
        return "This dead letter is already replayed. If its request is refused again, it leaves one of its own."
    ended = f" which ended {item.replay_state}" if item.replay_state else " which has not ended yet"
    return (
        f"This dead letter is already replayed, as life {item.replay_life},{ended}. "
        "If a replay dies, it leaves a dead letter of its own."
    )


def _why_unreadable(item: Item) -> str:
    if item.of_request:
        return "This dead letter cannot be replayed, because the request was too large to be kept. Discard this one."
    why = f"{item.reason}: {item.message}" if item.message else item.reason
    return (
        f"This dead letter cannot be replayed, because it could not be read as a delivery ({why}). "
        "Look at its bytes, submit the notification anew if it is needed, and discard this one."
    )


def _missing() -> ProblemError:
    return problems.not_found("There is no such dead letter.")


def _kept(letter_id: str, error: LogError) -> ProblemError:
    detail = (
        f"The decision is kept, but could not be carried out yet: {error}. "
        "It will be as soon as the event log takes writes; repeating the request does no harm."
    )
    return problems.unavailable(detail, extra={"id": letter_id})
