"""A client that submits one by one at a steady pace, and repeats what was not answered under the same key."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx

from tests.chaos.kafka_stage import ONCE
from tests.support.gateways import NOTIFICATION
from tocsin.lifecycle import State

_AT_ONCE = 32
_PAUSE_SECONDS = 0.2
_PAGE = 200
_DOMAIN = "example.test"
# What a client repeats: the write was not known to be durable in time, or its first try is still under way.
_AGAIN = (httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.CONFLICT)

Document = dict[str, Any]


def kind_of(address: str) -> str:
    """Return what the mail server does to an address, or what its category promises."""
    return address.partition("+")[0]


@dataclass(slots=True, kw_only=True)
class Client:
    """Submits `count` notifications, `rate` a second, whose keys and addresses hold the name of the run."""

    http: httpx.AsyncClient
    run: str
    count: int
    rate: float
    answers: dict[str, str] = field(default_factory=dict)
    refused: int = 0
    unanswered: int = 0
    longest: timedelta = timedelta()

    async def submit(self) -> None:
        """Submit everything, each until it is accepted."""
        loop, room = asyncio.get_running_loop(), asyncio.Semaphore(_AT_ONCE)
        start = loop.time()

        async def one(number: int) -> None:
            async with room:
                begun = loop.time()
                await self._accepted(f"{self.run}-{number}", self._document(number))
                self.longest = max(self.longest, timedelta(seconds=loop.time() - begun))

        async with asyncio.TaskGroup() as group:
            for number in range(self.count):
                await asyncio.sleep(start + number / self.rate - loop.time())
                group.create_task(one(number))

    async def ended(self, *, within: float) -> None:
        """Return once the audit says of everything that was accepted that it has ended."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within
        while open_ := await self._open():
            assert loop.time() < deadline, f"{len(open_)} have not ended after {within} s, as {sorted(open_)[:3]}"
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _accepted(self, key: str, document: Document) -> None:
        while not await self._posted(key, document):  # noqa: ASYNC110 - only asking again will tell
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _posted(self, key: str, document: Document) -> bool:
        """Return whether it was accepted; if not, it has to be repeated."""
        try:
            answer = await self.http.post("/v1/notifications", json=document, headers={"Idempotency-Key": key})
        except httpx.TransportError:
            self.unanswered += 1
            return False
        if answer.status_code == httpx.codes.ACCEPTED:
            self.answers[key] = str(answer.json()["id"])
            return True
        assert answer.status_code in _AGAIN, answer.text
        self.refused += 1
        return False

    async def _open(self) -> set[str]:
        """Return what the audit has not seen the end of. It lists the newest first, and ids sort as their time does."""
        open_ = set(self.answers.values())
        oldest = min(open_)
        cursor: dict[str, str] = {}
        while True:
            page = await self.http.get("/v1/notifications", params={"limit": str(_PAGE), **cursor})
            if page.status_code == httpx.codes.SERVICE_UNAVAILABLE:
                return open_
            assert page.status_code == httpx.codes.OK, page.text
            found = page.json()
            open_ -= {each["id"] for each in found["notifications"] if State(each["state"]).terminal}
            if found["next_cursor"] is None or found["notifications"][-1]["id"] < oldest or not open_:
                return open_
            cursor = {"cursor": found["next_cursor"]}

    def _document(self, number: int) -> Document:
        """Of ten, one is greylisted, one refused, one never sent twice."""
        kind = {0: "greylist", 1: "refused", 2: ONCE}.get(number % 10, "ada")
        return {
            **NOTIFICATION,
            "recipient": {"email": f"{kind}+{self.run}.{number}@{_DOMAIN}"},
            "category": ONCE if kind == ONCE else "orders",
        }
