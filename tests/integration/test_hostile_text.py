"""Hostile text in every field of a notification, through the whole path: refused with a pointer to it, or harmless."""

import asyncio
from collections.abc import Awaitable, Iterable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from tests.integration import hostile
from tests.integration.hostile import Place
from tests.support.gateways import Gateway, running
from tocsin.lifecycle import State

_AT_ONCE = 40

T = TypeVar("T")


class Tried(NamedTuple):
    """A text in a place: the mail's recipient, and the notification's id if it was accepted, else what was answered."""

    place: Place
    name: str
    recipient: str
    identity: str | None
    fault: str | None

    def __str__(self) -> str:
        return f"{self.name} at {self.place.pointer}"


async def tried(gateway: Gateway, place: Place, name: str, text: str, recipient: str) -> Tried:
    """Submit it. A refusal is good if it points at the place, and nowhere else."""
    document = place.filled(text)
    if place.pointer != "/recipient/email":
        document["recipient"]["email"] = recipient
    response = await gateway.client.post("/v1/notifications", content=hostile.encoded(document))
    if response.status_code == 202:
        return Tried(place, name, recipient, response.json()["id"], None)
    pointers = [fault["pointer"] for fault in response.json().get("errors", ())]
    good = response.status_code == 422 and all(f"{pointer}/".startswith(f"{place.pointer}/") for pointer in pointers)
    return Tried(place, name, recipient, None, None if good and pointers else f"{response.status_code} at {pointers}")


async def some_at_once(calls: Iterable[Awaitable[T]]) -> list[T]:
    """Await all calls, a bounded number at a time."""
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(call: Awaitable[T]) -> T:
        async with room:
            return await call

    return await asyncio.gather(*map(one, calls))


async def states(gateway: Gateway, count: int) -> dict[str, str]:
    """Return the state of each notification by id, once there are so many and all have ended."""
    while True:
        found: dict[str, str] = {}
        cursor: dict[str, Any] = {}
        while True:
            page = (await gateway.client.get("/v1/notifications", params={"limit": 200, **cursor})).json()
            found |= {each["id"]: each["state"] for each in page["notifications"]}
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        if len(found) >= count and all(State(state).terminal for state in found.values()):
            return found


async def test_hostile_text_is_refused_with_its_place_or_delivered_harmlessly(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        cases = [(*case, f"case{number}@example.test") for number, case in enumerate(hostile.cases())]
        results = await some_at_once(tried(gateway, *case) for case in cases)
        accepted = {each.identity: each for each in results if each.identity is not None}
        ended = await asyncio.wait_for(states(gateway, len(accepted)), timeout=60)
        mails = list(gateway.mailbox.newest())
    wrong = [f"{each}: {each.fault}" for each in results if each.fault]
    # What a template makes of its data is known when it is rendered: text that no subject can hold ends there.
    wrong += [
        f"{accepted[identity]}: accepted, and {state}"
        for identity, state in ended.items()
        if state != "delivered" and not accepted[identity].place.pointer.startswith("/data/")
    ]
    wrong += [f"sent to {mail.recipients}" for mail in mails if len(mail.recipients) > 1 or "victim" in str(mail)]
    by_recipient = {each.recipient: each for each in accepted.values()}
    for mail in mails:
        if fault := hostile.defect(mail.raw):
            wrong.append(f"{by_recipient[mail.recipients[0]]}: {fault}")

    assert wrong == []
    assert len(mails) == sum(state == "delivered" for state in ended.values()) > len(cases) / 3
