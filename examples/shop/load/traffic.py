"""The customers: all of them join, order and change their mind at once, and try again until they are answered."""

import asyncio
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import httpx

from examples.shop.load.plan import Fate, Planned

_AT_ONCE = 100
_PAUSE_SECONDS = 0.2
# No process is away for so long.
_PATIENCE_SECONDS = 180.0
# The latest that a customer has second thoughts: about when the parcel goes.
_SECOND_THOUGHTS_SECONDS = 3.0
_CONFLICT, _UNKNOWN = 409, 422


class Refused(Exception):
    """The shop said no to something that it has to take, or nothing for too long."""


class Traffic:
    """`urls` are those of the services. `placed` counts the orders that were answered."""

    def __init__(self, client: httpx.AsyncClient, urls: Mapping[str, str], *, random: Random) -> None:
        self.placed = 0
        self._client = client
        self._urls = urls
        self._random = random
        self._at_once = asyncio.Semaphore(_AT_ONCE)
        self._moved = asyncio.Event()

    async def open_with(self, product: str, available: int) -> None:
        """Put so many of a product on the shelves. Raises Refused."""
        await self._ask("PUT", "inventory", f"/stock/{product}", {"available": available})

    async def reached(self, count: int) -> None:
        """Return once so many orders are placed."""
        while self.placed < count:
            self._moved.clear()
            await self._moved.wait()

    async def order(self, plan: Sequence[Planned]) -> None:
        """Place all orders, and cancel those that are to be cancelled. Raises Refused."""
        try:
            async with asyncio.TaskGroup() as group:
                for each in plan:
                    group.create_task(self._order(each, self._random.uniform(0, _SECOND_THOUGHTS_SECONDS)))
        except ExceptionGroup as failed:
            # The first says it all: after it, the others were broken off.
            raise failed.exceptions[0] from None

    async def _order(self, planned: Planned, thoughts_seconds: float) -> None:
        who = {"name": planned.name, "email": planned.email, "phone": planned.phone, "locale": planned.locale}
        # One whose answer is lost joins once more: that is two customers of this name, and two mails of welcome.
        customer = await self._ask("POST", "customers", "/customers", who)
        items = [{"product": product, "quantity": quantity} for product, quantity in planned.items.items()]
        wanted = {"order_id": planned.order_id, "customer_id": customer["id"], "items": items}
        # Orders hears of a new customer by an event, and that waits while the process that tells it is away.
        await self._ask("POST", "orders", "/orders", wanted, not_yet=_UNKNOWN)
        self.placed += 1
        self._moved.set()
        if planned.fate is Fate.CANCELLED:
            await asyncio.sleep(thoughts_seconds)
            await self._ask("POST", "orders", f"/orders/{planned.order_id}/cancel", None, or_else=_CONFLICT)

    async def _ask(
        self, method: str, service: str, path: str, body: Any, *, or_else: int = 0, not_yet: int = 0
    ) -> dict[str, Any]:
        """Ask until there is an answer: a process may be away. Raises Refused.

        A status `or_else` is an answer as well, and `not_yet` is none.
        """
        what = f"{method} {path.split('/')[1]}"
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                while True:
                    answer = await self._answer(method, self._urls[service] + path, body)
                    if answer is not None and (answer.is_success or answer.status_code == or_else):
                        document: dict[str, Any] = answer.json()
                        return document
                    if answer is not None and answer.status_code != not_yet:
                        raise Refused(f"{what}: {answer.status_code}")
                    await asyncio.sleep(_PAUSE_SECONDS)
        except TimeoutError:
            raise Refused(f"{what}: no answer within {_PATIENCE_SECONDS:g} s") from None

    async def _answer(self, method: str, url: str, body: Any) -> httpx.Response | None:
        """Return the answer, None if there is none now: nobody is there, or who is there cannot do it."""
        try:
            async with self._at_once:
                answer = await self._client.request(method, url, json=body)
        except httpx.TransportError:
            return None
        return None if answer.is_server_error else answer
