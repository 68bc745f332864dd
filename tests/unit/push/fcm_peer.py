"""FCM for the tests of its provider: a scripted server that is both Google's token endpoint and `messages:send`."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import msgspec

from channels.push.fcm import FcmProvider
from channels.push.fcm_settings import FcmSettings
from channels.push.message import Push
from simulators.fcm import account
from simulators.fcm.account import Account
from tests.support.clock import ManualClock
from tests.support.http_server import HttpServer, Received, Reply, serving

NOW = datetime(2030, 1, 1, tzinfo=UTC)
NAME = "projects/tocsin-demo/messages/0:1"
DELIVERED = Reply(body=msgspec.json.encode({"name": NAME}))


@cache
def service_account() -> Account:
    """Return one account for all tests of a process."""
    return account.generate()


def push(**changes: Any) -> Push:
    """Return a push."""
    made = Push(
        provider="fcm",
        token="device-1",
        title="Order 1001",
        body="It is on its way.",
        data={"tocsin_notification_id": "ntf_01"},
        collapse_id="ntf_01",
        priority="high",
        notification_id="ntf_01",
        accepted_at=NOW,
        expires_at=NOW + timedelta(hours=1),
    )
    return msgspec.structs.replace(made, **changes)


def granted(number: int = 1, *, seconds: float = 3599) -> Reply:
    """Return the token endpoint's answer with its token of this number."""
    return Reply(body=msgspec.json.encode({"access_token": f"token-{number}", "expires_in": seconds}))


def refused(status: int, error: Mapping[str, Any], **headers: str) -> Reply:
    """Return an error of FCM."""
    return Reply(status=status, body=msgspec.json.encode({"error": error}), headers=headers)


UNAUTHENTICATED = refused(401, {"code": 401, "status": "UNAUTHENTICATED", "message": "invalid authentication"})


class Fcm:
    """The scripted server. `sends` are the replies to come to messages, the last of which stays; so with `tokens`."""

    def __init__(self, server: HttpServer) -> None:
        self.server = server
        self.sends: list[Reply] = [DELIVERED]
        self.tokens: list[Reply] = [granted()]
        server.default = self._answer

    @property
    def sent(self) -> list[Received]:
        """The messages that came."""
        return [each for each in self.server.received if each.target.endswith("messages:send")]

    @property
    def asked(self) -> list[Received]:
        """The requests for a token that came."""
        return [each for each in self.server.received if each.target == "/token"]

    def settings(self, **changes: Any) -> FcmSettings:
        """Return settings that point here."""
        url = self.server.url
        given = {"base_url": url, "token_url": f"{url}/token", "credentials": service_account().document()}
        return FcmSettings(**(given | changes))

    def _answer(self, request: Received) -> Reply:
        replies = self.tokens if request.target == "/token" else self.sends
        return replies.pop(0) if len(replies) > 1 else replies[0]


class Claims:
    """A claim that counts how often it was awaited, or raises."""

    def __init__(self, error: Exception | None = None) -> None:
        self.count = 0
        self._error = error

    async def __call__(self) -> None:
        self.count += 1
        if self._error is not None:
            raise self._error


@asynccontextmanager
async def fcm() -> AsyncIterator[Fcm]:
    """Run the scripted server."""
    async with serving() as server:
        yield Fcm(server)


@asynccontextmanager
async def provider(
    peer: Fcm, *, clock: ManualClock | None = None, unmapped: list[str] | None = None, **changes: Any
) -> AsyncIterator[FcmProvider]:
    """Make a provider that calls the server."""
    counted = [] if unmapped is None else unmapped
    made = FcmProvider(peer.settings(**changes), clock=clock or ManualClock(NOW), on_unmapped=counted.append)
    try:
        yield made
    finally:
        await made.aclose()


def soon(seconds: float = 10) -> float:
    """Return a deadline."""
    return asyncio.get_running_loop().time() + seconds
