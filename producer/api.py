"""`POST /v1/notifications` and `/v1/notifications/batch`: from a body to an answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from producer import examples
from producer.submit import Item, KeyBusy, KeyReused, NotDurableInTime, Refused, Result, Submitter, Taken
from tocsin.errors import LogError
from tocsin.observe.metrics import Metrics
from tocsin.validation import Fault
from tocsin.web import body, problems
from tocsin.web.auth import Principal, requires
from tocsin.web.direct import DirectRoute
from tocsin.web.problems import ProblemError

Client = Annotated[Principal, Depends(requires("submit", test_keys=True))]

_MAX_KEY = 255
_JSON = "application/json"
_TAGS: list[str | Enum] = ["notifications"]
_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How large a request may be, in bytes and items."""

    notification: int
    batch: int
    items: int


class Api:
    """The routes of the producer."""

    def __init__(self, submitter: Submitter, *, sizes: Sizes, metrics: Metrics, schema: Mapping[str, Any]) -> None:
        self._submitter = submitter
        self._sizes = sizes
        self._metrics = metrics
        # The tag is the routes': what else is included in the router has one of its own.
        self.router = APIRouter(route_class=DirectRoute)
        self.router.add_api_route(
            "/v1/notifications",
            self._single,
            methods=["POST"],
            status_code=202,
            tags=_TAGS,
            summary="Submit a notification",
            openapi_extra=examples.single(schema),
            responses=examples.SINGLE_ANSWERS,
        )
        self.router.add_api_route(
            "/v1/notifications/batch",
            self._batch,
            methods=["POST"],
            status_code=202,
            tags=_TAGS,
            summary="Submit up to 1,000 notifications, each with its own answer",
            openapi_extra=examples.batch(schema),
            responses=examples.BATCH_ANSWERS,
        )

    async def _single(self, request: Request, principal: Client) -> Response:
        raw = await body.read(request, limit=self._sizes.notification)
        document = body.decode(raw)
        if isinstance(document, dict) and "idempotency_key" in document:
            detail = "belongs to an item of a batch; send the header Idempotency-Key"
            raise problems.invalid(Fault(pointer="/idempotency_key", detail=detail))
        item = Item(document=document, size=len(raw), key=_key(request.headers.get("idempotency-key")))
        [result] = await self._submit(principal, [item])
        if isinstance(result, Taken):
            return Response(result.answer, status_code=202, media_type=_JSON, headers=_replayed(result))
        raise _problem(result, item)

    async def _batch(self, request: Request, principal: Client) -> Response:
        if "idempotency-key" in request.headers:
            detail = "is not for a batch; give each item its own idempotency_key"
            raise problems.invalid(Fault(pointer="/Idempotency-Key", detail=detail))
        documents = _documents(body.decode(await body.read(request, limit=self._sizes.batch)), self._sizes.items)
        items = [_item(document) for document in documents]
        results = await self._submit(principal, items)
        answers = [_answer(result, item) for result, item in zip(results, items, strict=True)]
        differ = any(not isinstance(result, Taken) for result in results)
        return Response(
            b'{"results":[' + b",".join(answers) + b"]}", status_code=207 if differ else 202, media_type=_JSON
        )

    async def _submit(self, principal: Principal, items: Sequence[Item]) -> Sequence[Result]:
        try:
            results = await self._submitter.submit(principal.tenant, items, test=principal.test)
        except LogError as error:
            self._metrics.submissions("unavailable").inc(len(items))
            raise _unavailable(error, items) from error
        for result in results:
            self._metrics.submissions(_word(result)).inc()
        if not principal.test:
            self._metrics.notifications.inc(sum(isinstance(r, Taken) and not r.repeated for r in results))
        return results


def _documents(batch: Any, most: int) -> list[Any]:
    if not isinstance(batch, dict) or not isinstance(batch.get("notifications"), list):
        raise problems.invalid(Fault(pointer="/notifications", detail="is required, and must be a list"))
    if strange := [name for name in batch if name != "notifications"]:
        raise problems.invalid(*(Fault(pointer=f"/{name}", detail="is not known here") for name in strange))
    documents: list[Any] = batch["notifications"]
    if not documents:
        raise problems.invalid(Fault(pointer="/notifications", detail="must not be empty"))
    if len(documents) > most:
        raise problems.invalid(Fault(pointer="/notifications", detail=f"must have at most {most} items"))
    return documents


def _item(document: Any) -> Item:
    """Return an item of a batch. Its key is not part of what it says, so it is no part of its fingerprint."""
    size = len(_encoder.encode(document))
    if not isinstance(document, dict) or not isinstance(key := document.get("idempotency_key"), str):
        return Item(document=document, size=size, key=None)
    bare = {name: value for name, value in document.items() if name != "idempotency_key"}
    return (
        Item(document=bare, size=size, key=key)
        if 0 < len(key) <= _MAX_KEY
        else Item(document=document, size=size, key=None)
    )


def _key(text: str | None) -> str | None:
    if text is not None and not 0 < len(text) <= _MAX_KEY:
        detail = f"must have 1 to {_MAX_KEY} characters"
        raise problems.invalid(Fault(pointer="/Idempotency-Key", detail=detail))
    return text


def _answer(result: Result, item: Item) -> bytes:
    if isinstance(result, Taken):
        return b'{"status":202,' + result.answer[1:]
    return _encoder.encode(_problem(result, item).members())


def _problem(result: Refused | KeyReused | KeyBusy, item: Item) -> ProblemError:
    match result:
        case Refused(faults=faults):
            return problems.invalid(*faults)
        case KeyReused():
            detail = "This idempotency key was used before with another body. Use a new key for a new notification."
            return ProblemError(422, "idempotency-key-reused", detail, extra={"idempotency_key": item.key})
        case KeyBusy():
            detail = "The first request with this idempotency key has not ended. Repeat this one in a moment."
            return problems.conflict(detail, slug="idempotency-key-busy", extra={"idempotency_key": item.key})


def _unavailable(error: LogError, items: Sequence[Item]) -> ProblemError:
    """Return 503 with what the client needs to repeat: its key, and the id where the write may still land."""
    extra: dict[str, Any] = {"idempotency_key": items[0].key} if len(items) == 1 else {}
    if isinstance(error, NotDurableInTime):
        if len(items) == 1 and items[0].key is None:
            # Under a key an earlier submit may be the one that lands, with an id of its own.
            extra["id"] = error.notification_ids[0]
        detail = f"{error}, so it may or may not have been accepted. Repeat it with the same Idempotency-Key."
    else:
        detail = f"Nothing was accepted: {error}. Repeat it in a moment."
    return problems.unavailable(detail, extra=extra)


def _word(result: Result) -> str:
    if isinstance(result, Taken):
        return "repeated" if result.repeated else "accepted"
    return "refused"


def _replayed(result: Taken) -> Mapping[str, str]:
    return {"Idempotent-Replayed": "true"} if result.repeated else {}
