"""A client as it should be: it repeats what was not answered, under the same key, until it is."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import httpx

from tests.chaos.crash_ordeal import ONCE, Incarnation
from tests.support.gateways import NOTIFICATION
from tocsin.lifecycle import State

_AT_ONCE = 10
_PAGE = 200

Document = dict[str, Any]


def documents(count: int) -> dict[str, Document]:
    """Return notifications by their idempotency keys: of ten, one is greylisted, one refused, one never sent twice."""
    return {f"order-{n}": _document(n) for n in range(count)}


def _document(number: int) -> Document:
    kind = {0: "greylist", 1: "refused", 2: ONCE}.get(number % 10, "ada")
    recipient = {"email": f"{kind}+{number}@example.test"}
    return {**NOTIFICATION, "recipient": recipient, "category": ONCE if kind == ONCE else "orders"}


class Client:
    """Submits notifications, and remembers what it was answered."""

    def __init__(self, given: Mapping[str, Document]) -> None:
        self.given = given
        self.answers: dict[str, Document] = {}

    @property
    def unanswered(self) -> list[str]:
        """The keys that it has to repeat."""
        return [key for key in self.given if key not in self.answers]

    async def submit(self, gateway: Incarnation, keys: Sequence[str] | None = None) -> None:
        """Post what has no answer yet, or these; what gets no 202 stays unanswered. A repeat is answered alike."""
        permits = asyncio.Semaphore(_AT_ONCE)

        async def post(key: str) -> None:
            async with permits:
                await self._post(gateway, key)

        await asyncio.gather(*(post(key) for key in (self.unanswered if keys is None else keys)))

    async def submit_batch(self, gateway: Incarnation, keys: Sequence[str]) -> bool:
        """Post a batch; return whether it was answered."""
        items = [{**self.given[key], "idempotency_key": key} for key in keys]
        try:
            response = await gateway.client.post("/v1/notifications/batch", json={"notifications": items})
        except httpx.TransportError:
            return False
        if response.status_code != httpx.codes.ACCEPTED:
            assert response.status_code == httpx.codes.SERVICE_UNAVAILABLE, response.text
            return False
        for key, result in zip(keys, response.json()["results"], strict=True):
            self._answered(key, {name: value for name, value in result.items() if name != "status"})
        return True

    async def _post(self, gateway: Incarnation, key: str) -> None:
        try:
            response = await gateway.client.post(
                "/v1/notifications", json=self.given[key], headers={"Idempotency-Key": key}
            )
        except httpx.TransportError:
            return
        if response.status_code == httpx.codes.ACCEPTED:
            self._answered(key, response.json())
        else:
            assert response.status_code == httpx.codes.SERVICE_UNAVAILABLE, response.text

    def _answered(self, key: str, answer: Document) -> None:
        assert self.answers.setdefault(key, answer) == answer, f"{key} was answered twice, and not alike"


async def states(gateway: Incarnation) -> dict[str, State]:
    """Return the state of every notification that the audit knows."""
    return {each["id"]: State(each["state"]) for each in await _listed(gateway, "/v1/notifications", "notifications")}


async def letters(gateway: Incarnation) -> list[Document]:
    """Return the dead letters."""
    return await _listed(gateway, "/v1/dlq", "items")


async def _listed(gateway: Incarnation, path: str, name: str) -> list[Document]:
    found: list[Document] = []
    cursor: dict[str, str] = {}
    while True:
        response = await gateway.client.get(path, params={"limit": str(_PAGE), **cursor})
        assert response.status_code == httpx.codes.OK, response.text
        page = response.json()
        found.extend(page[name])
        if page["next_cursor"] is None:
            return found
        cursor = {"cursor": page["next_cursor"]}


async def all_ended(gateway: Incarnation, count: int, *, within: float = 80) -> None:
    """Return once the audit says of so many notifications that they have ended."""

    async def look() -> bool:
        return sum(state.terminal for state in (await states(gateway)).values()) >= count

    await _becomes(look, within=within)


async def letters_become(gateway: Incarnation, count: int, **facts: object) -> list[Document]:
    """Return the dead letters once so many are as these facts say."""
    found: list[Document] = []

    async def look() -> bool:
        found[:] = await letters(gateway)
        return sum(facts.items() <= letter.items() for letter in found) >= count

    await _becomes(look, within=80)
    return found


async def _becomes(look: Callable[[], Awaitable[bool]], *, within: float) -> None:
    """Return once a look at another process says so. Fails the test if it does not in time (seconds)."""
    async with asyncio.timeout(within):
        while True:
            if await look():
                return
            await asyncio.sleep(0.01)


async def decide(gateway: Incarnation, given: Sequence[Document], decision: str) -> list[int | None]:
    """Decide about dead letters, all at once; return the status of each answer, None where none came."""

    async def one(letter: Document) -> int | None:
        try:
            return (await gateway.client.post(f"/v1/dlq/{letter['id']}/{decision}")).status_code
        except httpx.TransportError:
            return None

    return list(await asyncio.gather(*(one(letter) for letter in given)))
