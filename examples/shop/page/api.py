"""The page over HTTP: its files, its feed, and the messages that it shows.

Nothing of it needs a key, and it has none of the gateway's to lose. Its policy lets run what it came with, and nothing
else; a mail is shown in a frame of its own, in which nothing runs at all.
"""

from collections.abc import Mapping
from importlib import resources
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response

from examples.shop.kit import problems
from examples.shop.kit.problems import ProblemError
from examples.shop.page.feed import Feed
from examples.shop.page.hub import Hub
from examples.shop.page.messages import Message, Simulators, SimulatorsUnavailable
from examples.shop.page.stream import Events, EventStream

_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
_PAGE = "index.html"
_OURS = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# Foreign content: no script, no form, no request, and an origin of its own.
_FOREIGN = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
# No entry has a longer number.
_MOST_DIGITS = 18

Seen = Annotated[str | None, Query(alias="last_event_id", description="What the header Last-Event-ID says otherwise")]


class Api:
    """The routes of the page."""

    def __init__(self, *, events: Events, feed: Feed, hub: Hub, simulators: Simulators) -> None:
        self._events = events
        self._feed = feed
        self._hub = hub
        self._simulators = simulators
        self._files = _files()
        self.router = APIRouter(tags=["page"])
        add = self.router.add_api_route
        add("/shop", self._show, methods=["GET"], include_in_schema=False)
        add("/shop/files/{name}", self._file, methods=["GET"], include_in_schema=False)
        add("/shop/events", self._follow, methods=["GET"], response_class=Response)
        add("/shop/messages/{delivery_id}", self._message, methods=["GET"])
        add("/shop/messages/{delivery_id}/html", self._html, methods=["GET"], response_class=Response)

    async def _show(self) -> Response:
        return self._file_answer(_PAGE)

    async def _file(self, name: str) -> Response:
        if name not in self._files:
            raise problems.not_found("there is no such file")
        return self._file_answer(name)

    def _file_answer(self, name: str) -> Response:
        kind = _TYPES[name.rpartition(".")[2]]
        return Response(self._files[name], media_type=kind, headers=_headers(_OURS))

    async def _follow(self, request: Request, seen: Seen = None) -> Response:
        """Follow all that happens, as Server-Sent Events: each event of the shop, and what becomes of notifications.

        It begins with the newest of what happened before, and an event `live` says when that is told. A browser that
        comes back names the event that it saw last, and misses nothing.
        """
        if self._hub.closing or self._hub.full:
            raise ProblemError(503, "the shop is stopping" if self._hub.closing else "too many listen already")
        number = _number(request.headers.get("last-event-id") or seen)
        return EventStream(number, events=self._events, hub=self._hub)

    async def _message(self, delivery_id: str) -> dict[str, Any]:
        """Return the mail or the text that a simulated provider took for a delivery."""
        message = await self._taken(delivery_id)
        shown: dict[str, Any] = msgspec.to_builtins(message)
        return {**shown, "html": message.html is not None}

    async def _html(self, delivery_id: str) -> Response:
        """Return the HTML of a mail, to be shown in a frame in which nothing runs."""
        message = await self._taken(delivery_id)
        if message.html is None:
            raise problems.not_found("this message has no HTML")
        return Response(message.html, media_type="text/html", headers=_headers(_FOREIGN))

    async def _taken(self, delivery_id: str) -> Message:
        delivery = await self._feed.delivery(delivery_id)
        if delivery is None:
            raise problems.not_found("nobody has taken such a delivery, or it is not known by whom")
        try:
            message = await self._simulators.message(delivery)
        except SimulatorsUnavailable:
            raise ProblemError(503, "the simulators cannot be reached") from None
        if message is None:
            raise problems.not_found("the simulators do not have it any more, or it went to a real provider")
        return message


def _files() -> Mapping[str, bytes]:
    """Return the files of the page by name."""
    folder = resources.files("examples.shop.page").joinpath("files")
    return {each.name: each.read_bytes() for each in folder.iterdir() if each.name.rpartition(".")[2] in _TYPES}


def _headers(policy: str) -> Mapping[str, str]:
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }


def _number(text: str | None) -> int | None:
    """Return the number of an entry; None for what is no number, which begins anew."""
    return int(text) if text and len(text) <= _MOST_DIGITS and text.isascii() and text.isdecimal() else None
