"""`POST /v1/events`: an event, or a batch of them, becomes what the rules make of it."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from producer import request as requests
from producer.cloudevents import NotAnEvent
from producer.request import Ask, Refusal
from producer.requests import Outcome
from producer.rules import docs, http, matching
from producer.rules import event as events
from producer.rules.book import RuleBook
from producer.rules.event import Event
from producer.submit import KeyBusy, Result, Submitter, Taken
from producer.tallies import count_event, count_rule
from tocsin.errors import LogError
from tocsin.observe.metrics import Metrics
from tocsin.web import problems
from tocsin.web.auth import Principal, requires
from tocsin.web.direct import DirectRoute
from tocsin.web.problems import ProblemError
from tocsin.web.responses import Json

Client = Annotated[Principal, Depends(requires("submit", test_keys=True))]


class _Told(msgspec.Struct):
    """The part of a submit's answer that is told again."""

    id: str


_told = msgspec.json.Decoder(_Told)


class Api:
    """The route. Sizes are in bytes; a batch has `batch_items` events at most."""

    def __init__(
        self,
        *,
        book: RuleBook,
        submitter: Submitter,
        metrics: Metrics,
        event_bytes: int,
        batch_bytes: int,
        batch_items: int,
    ) -> None:
        self._book = book
        self._submitter = submitter
        self._metrics = metrics
        self._event_bytes = event_bytes
        self._batch_bytes = batch_bytes
        self._batch_items = batch_items
        self.router = APIRouter(route_class=DirectRoute)
        self.router.add_api_route(
            "/v1/events",
            self._take,
            methods=["POST"],
            status_code=202,
            tags=["events"],
            summary="Tell of a business event, of which rules make notifications",
            openapi_extra=docs.REQUEST,
            responses=docs.ANSWERS,
        )

    async def _take(self, request: Request, principal: Client) -> Response:
        """An event that no rule is for is taken, and nothing comes of it: the list is empty.

        Where a rule is for it and cannot use it, the answer is a problem that names the rule. What the other rules made
        of the event stands; a repeat of the event makes nothing twice.
        """
        if http.content_type(request) == http.BATCHED:
            return await self._batch(request, principal)
        event = await http.single(request, max_bytes=self._event_bytes)
        asks = self._asks(event)
        [outcomes] = await self._submit(principal, [asks])
        answer = _answer(event, asks, outcomes)
        if isinstance(answer, ProblemError):
            raise answer
        return Json(answer, 202)

    async def _batch(self, request: Request, principal: Client) -> Response:
        documents = await http.batch(request, max_bytes=self._batch_bytes, most=self._batch_items)
        read = [await self._in_turn(document) for document in documents]
        good = [each for each in read if not isinstance(each, ProblemError)]
        outcomes = iter(await self._submit(principal, [asks for _, asks in good]))
        answers = [
            each if isinstance(each, ProblemError) else _answer(each[0], each[1], next(outcomes)) for each in read
        ]
        results = [each.members() if isinstance(each, ProblemError) else {"status": 202, **each} for each in answers]
        differ = any(isinstance(each, ProblemError) for each in answers)
        return Json({"results": results}, 207 if differ else 202)

    async def _in_turn(self, document: Any) -> tuple[Event, Sequence[Ask]] | ProblemError:
        """Return what an event of a batch asks for, and let the others have their turn: a batch takes its while."""
        read = self._read(document)
        await asyncio.sleep(0)
        return read

    def _read(self, document: Any) -> tuple[Event, Sequence[Ask]] | ProblemError:
        try:
            event = events.of_document(document, max_bytes=self._event_bytes)
            return event, self._asks(event)
        except NotAnEvent as error:
            self._metrics.rule_events("refused").inc()
            return http.problem(error)
        except ProblemError as error:
            return error

    def _asks(self, event: Event) -> Sequence[Ask]:
        try:
            asks = matching.asks(event, self._book.rules)
        except ProblemError:
            self._metrics.rule_events("refused").inc()
            raise
        count_event(self._metrics, asks)
        return asks

    async def _submit(
        self, principal: Principal, asked: Sequence[Sequence[Ask]]
    ) -> Sequence[Sequence[Outcome | KeyBusy]]:
        """Submit all that is asked for together; return what became of the asks of each event."""
        items = [ask.item for asks in asked for ask in asks if isinstance(ask, requests.Request)]
        try:
            results = iter(await self._submitter.submit(principal.tenant, items, test=principal.test) if items else ())
        except LogError as error:
            detail = f"{error}. Repeat the event in a moment: nothing is sent twice."
            raise problems.unavailable(detail[:1].upper() + detail[1:]) from error
        outcomes = [
            [ask if isinstance(ask, Refusal) else _outcome(ask, next(results)) for ask in asks] for asks in asked
        ]
        for asks, found in zip(asked, outcomes, strict=True):
            for ask, outcome in zip(asks, found, strict=True):
                if not isinstance(outcome, KeyBusy):
                    count_rule(self._metrics, ask.rule, outcome, test=principal.test)
        return outcomes


def _outcome(ask: requests.Request, result: Result) -> Outcome | KeyBusy:
    return result if isinstance(result, Taken | KeyBusy) else requests.refused(ask, result)


def _answer(event: Event, asks: Sequence[Ask], outcomes: Sequence[Outcome | KeyBusy]) -> dict[str, Any] | ProblemError:
    made = [
        _made(str(ask.rule), outcome) for ask, outcome in zip(asks, outcomes, strict=True) if isinstance(outcome, Taken)
    ]
    answer = {"event": event.identity._asdict(), "notifications": made}
    if refused := [outcome for outcome in outcomes if isinstance(outcome, Refusal)]:
        return _refused(refused, answer)
    if any(isinstance(outcome, KeyBusy) for outcome in outcomes):
        detail = "The same event is being taken just now. Repeat it in a moment: nothing is sent twice."
        return problems.conflict(detail, slug="event-busy", extra=answer)
    return answer


def _made(rule: str, taken: Taken) -> dict[str, Any]:
    told = {"repeated": True} if taken.repeated else {"state": "accepted"}
    return {"rule": rule, "id": _told.decode(taken.answer).id, **told}


def _refused(refused: Sequence[Refusal], answer: Mapping[str, Any]) -> ProblemError:
    """Return the problem: each fault is of a rule, and points into the notification that the rule makes."""
    errors = [
        {"rule": each.rule, "pointer": fault.pointer, "detail": fault.detail}
        for each in refused
        for fault in each.faults
    ]
    first = refused[0]
    more = f", and so for {len(refused) - 1} more rules" if len(refused) > 1 else ""
    detail = f"The rule {first.rule} cannot use the event: {first.detail}{more}"
    return ProblemError(422, "event-unusable", detail, extra={**answer, "errors": errors})
