"""Twilio's library on our own HTTP: one call, with its deadline and its claim, and never a second one.

Its own asynchronous client ignores its timeout, and repeats a POST that was answered with 503: two messages.
"""

import base64
from logging import getLogger
from typing import Any
from urllib.parse import urlencode

from twilio.http import AsyncHttpClient  # type: ignore[import-untyped] # it has no types
from twilio.http.response import Response  # type: ignore[import-untyped] # it has no types

from tocsin.net.http import Answer, Claim, HttpClient, Request


class OneCall(AsyncHttpClient):  # type: ignore[misc] # the base has no types
    """The HTTP client of one call. `answer` is what came back, None as long as nothing has."""

    def __init__(self, http: HttpClient, *, deadline: float, claim: Claim) -> None:
        super().__init__(getLogger(__name__), is_async=True)
        self._http = http
        self._deadline = deadline
        self._claim = claim
        self.answer: Answer | None = None

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
        url = f"{uri}?{urlencode(params, doseq=True)}" if params else uri
        told = dict(headers or {})
        if auth is not None:
            told["Authorization"] = "Basic " + base64.b64encode(":".join(auth).encode()).decode()
        body = urlencode(data, doseq=True).encode() if data else b""
        request = Request(method=method, url=url, headers=told, body=body)
        self.answer = await self._http.send(request, deadline=self._deadline, claim=self._claim)
        text = self.answer.body.decode("utf-8", "replace")
        return Response(self.answer.status, text, dict(self.answer.headers))
