"""Twilio's library on our own HTTP: one call, with its deadline and its claim, and never a second one.

Its own asynchronous client ignores its timeout, and repeats a POST that was answered with 503: two messages. The
library is made once for an account; which call it is at work for goes with the task.
"""

import base64
from collections.abc import Mapping
from contextvars import ContextVar
from functools import cached_property
from logging import getLogger
from typing import Any
from urllib.parse import urlencode

import msgspec
from twilio.http import AsyncHttpClient  # type: ignore[import-untyped] # it has no types
from twilio.http.response import Response  # type: ignore[import-untyped] # it has no types
from twilio.rest import Client  # type: ignore[import-untyped] # it has no types

from channels.sms import form
from tocsin.net.http import Answer, Claim, HttpClient, Request

# The library would read these from the process's environment.
_NO_ENVIRONMENT = {"TWILIO_REGION": "", "TWILIO_EDGE": ""}
_SUCCESSES = range(200, 300)


class Call:
    """One call. `answer` is what came back, None as long as nothing has."""

    __slots__ = ("answer", "claim", "deadline")

    def __init__(self, *, deadline: float, claim: Claim) -> None:
        self.deadline = deadline
        self.claim = claim
        self.answer: Answer | None = None


_CALL: ContextVar[Call] = ContextVar("twilio_call")


class _Created(msgspec.Struct):
    """What we read of a message that was created."""

    sid: Any = None
    status: Any = None
    error_code: Any = None
    error_message: Any = None


class Library:
    """Twilio's library for one account, over `http`."""

    def __init__(self, http: HttpClient, *, username: str, password: str, account_sid: str, base_url: str) -> None:
        client = _Client(username, password, account_sid, http_client=_Http(http), environment=_NO_ENVIRONMENT)
        client.api.base_url = base_url.rstrip("/")
        self._messages = client.messages

    async def create_message(self, parameters: Mapping[str, Any], call: Call) -> Any:
        """Create a message, and return what the library makes of the answer.

        Raises NotSent, Unanswered, what the claim raises, the library's exceptions for a refusal, and any other for an
        answer that it cannot read.
        """
        token = _CALL.set(call)
        try:
            return await self._messages.create_async(**parameters)
        finally:
            _CALL.reset(token)


class _Client(Client):  # type: ignore[misc] # the base has no types
    """The library's client. For each call it asks which machine and Python it runs on; once is enough."""

    def get_headers(self, method: str, headers: dict[str, str] | None) -> dict[str, str]:
        """See the base. A call's own headers go before; all our calls are POSTs."""
        if method != "POST":
            made: dict[str, str] = super().get_headers(method, headers)
            return made
        return {**self._of_a_post, **(headers or {})}

    @cached_property
    def _of_a_post(self) -> Mapping[str, str]:
        made: Mapping[str, str] = super().get_headers("POST", None)
        return made


class _Http(AsyncHttpClient):  # type: ignore[misc] # the base has no types
    """The library's way to the network."""

    def __init__(self, http: HttpClient) -> None:
        super().__init__(getLogger(__name__), is_async=True)
        self._http = http

    async def request(  # noqa: PLR0917 - the library's
        self,
        method: str,
        uri: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - the library's; the deadline is ours
        allow_redirects: bool = False,  # noqa: ARG002 - the library's; nothing is followed
    ) -> Any:
        """Make the call. Raises NotSent, Unanswered, and what the claim raises."""
        call = _CALL.get()
        url = f"{uri}?{urlencode(params, doseq=True)}" if params else uri
        told = dict(headers or {})
        if auth is not None:
            told["Authorization"] = "Basic " + base64.b64encode(":".join(auth).encode()).decode()
        request = Request(method=method, url=url, headers=told, body=form.encoded(data or {}))
        answer = call.answer = await self._http.send(request, deadline=call.deadline, claim=call.claim)
        return Response(answer.status, _text(answer), dict(answer.headers))


def _text(answer: Answer) -> str:
    """Return the answer for the library: of a success what we read, or else it would make dates of the rest."""
    if answer.status in _SUCCESSES:
        try:
            return msgspec.json.encode(msgspec.json.decode(answer.body, type=_Created)).decode()
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass  # the library says what it cannot read
    return answer.body.decode("utf-8", "replace")
