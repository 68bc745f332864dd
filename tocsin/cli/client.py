"""Talks to the gateway. Each call is one request, answered or failed: nothing is repeated behind the caller's back."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx
import msgspec

from tocsin.cli import wording
from tocsin.cli.access import Access, no_url
from tocsin.cli.failures import Misused, Refused, Unanswered, Unreachable

# A submit waits up to 5 s for the disk and up to 5 s for an earlier request with its idempotency key.
_TIMEOUT = httpx.Timeout(20.0, connect=3.0)
_NONE: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the gateway said: the very bytes, and what they mean."""

    raw: bytes
    document: Mapping[str, Any]
    headers: Mapping[str, str]


class Gateway:
    """A connection to the gateway, to be used in a `with` block.

    Every method raises Refused where the gateway says no, Unreachable where nobody is there, and
    Unanswered where nobody answered.
    """

    def __init__(self, access: Access, *, transport: httpx.BaseTransport | None = None) -> None:
        self._access = access
        self._client = httpx.Client(
            transport=transport,
            timeout=_TIMEOUT,
            trust_env=not access.local,
            headers={"Authorization": f"Bearer {access.key}", "Accept": "application/json"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def get(self, *path: str, params: Mapping[str, str | int | None] | None = None) -> Answer:
        """Read `/v1/<path…>`; parameters that are None are left out."""
        given = {name: value for name, value in (params or {}).items() if value is not None}
        return self._call("GET", path, params=given)

    def post(self, *path: str, body: bytes | None = None, headers: Mapping[str, str] = _NONE) -> Answer:
        """Post JSON to `/v1/<path…>`, or nothing."""
        kind = {} if body is None else {"Content-Type": "application/json"}
        return self._call("POST", path, content=body, headers={**kind, **headers})

    def delete(self, *path: str, params: Mapping[str, str | None] | None = None) -> Answer:
        """Delete `/v1/<path…>`; parameters that are None are left out."""
        given = {name: value for name, value in (params or {}).items() if value is not None}
        return self._call("DELETE", path, params=given)

    def _call(self, method: str, path: tuple[str, ...], **request: Any) -> Answer:
        url = "/".join((self._access.url, "v1", *(quote(part, safe="") for part in path)))
        try:
            response = self._client.request(method, url, **request)
        except (httpx.InvalidURL, UnicodeError) as error:  # from the name of a host that cannot be one
            raise Misused(no_url(self._access.url)) from error
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise Unreachable(wording.unreachable(self._access, error)) from error
        except httpx.TransportError as error:
            raise Unanswered(wording.unanswered(self._access, error)) from error
        return self._answer(response)

    def _answer(self, response: httpx.Response) -> Answer:
        document = _decoded(response)
        if response.is_success and document is not None:
            return Answer(raw=response.content, document=document, headers=response.headers)
        message = wording.refused(self._access, response.status_code, document)
        raise Refused(message, status=response.status_code, problem=document or {})


def _decoded(response: httpx.Response) -> Mapping[str, Any] | None:
    """Return the JSON object of an answer, None if there is none: then it was not a gateway that answered."""
    try:
        document = msgspec.json.decode(response.content)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None
