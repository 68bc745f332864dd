"""The events of an inbox, over real connections."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from channels.browser.inbox import Inboxes
from channels.browser.inbox_hub import Caps, Connection, Hub
from channels.browser.inbox_stream import Events, EventStream, Listening
from tests.support.clock import ManualClock
from tests.support.postgres import databases
from tests.support.sse import listening
from tests.support.waiting import until
from tests.unit.browser.inbox_serving import Serving, serving
from tests.unit.browser.letters import ADA, BOB, letter
from tests.unit.store.conftest import empty, empty_url
from tests.unit.web.support import slug
from tocsin.store.engine import Store, open_store
from tocsin.store.migrate import upgrade

__all__ = ["databases", "empty", "empty_url"]

PLACE = "/v1/inbox/events"
CAPS = Caps(of_inbox=10, of_process=10)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(f"sqlite:///{tmp_path / 'store.db'}") as opened:
        await upgrade(opened)
        yield opened


@pytest.fixture
async def served(store: Store) -> AsyncIterator[Serving]:
    async with serving(store) as found:
        yield found


async def test_without_an_id_it_begins_with_what_comes_next(served: Serving) -> None:
    await served.put(letter(1))
    async with listening(served.client, PLACE, params=await served.ticket()) as events:
        await served.put(letter(9, owner=BOB), letter(2))
        [found] = await events.take(1)

    assert (found["id"], found["body"]) == (2, "2")


@pytest.mark.parametrize("how", ["header", "query", "both"])
async def test_with_an_id_it_goes_on_after_it(served: Serving, how: str) -> None:
    await served.put(*(letter(number) for number in range(1, 51)))
    query = await served.ticket() | ({"last_event_id": "3"} if how == "query" else {})
    query |= {"last_event_id": "45"} if how == "both" else {}
    headers = {} if how == "query" else {"Last-Event-ID": "3"}
    async with listening(served.client, PLACE, params=query, headers=headers) as events:
        found = await events.take(47)
        await served.put(letter(51))
        found += await events.take(1)

    assert [each["id"] for each in found] == list(range(4, 52))
    assert events.response.headers["content-type"].startswith("text/event-stream")
    assert events.response.headers["cache-control"] == "no-store"


async def test_an_id_of_another_database_does_not_silence_an_inbox(served: Serving) -> None:
    query = {**await served.ticket(), "last_event_id": "999"}
    async with listening(served.client, PLACE, params=query) as events:
        await served.put(letter(1))

        assert [each["id"] for each in await events.take(1)] == [1]


@pytest.mark.parametrize("seen", ["-1", "x", "٣", str(2**63), "1.0"])
async def test_an_id_that_is_none_is_refused(served: Serving, seen: str) -> None:
    answer = await served.client.get(PLACE, params={**await served.ticket(), "last_event_id": seen})

    assert (answer.status_code, slug(answer)) == (422, "invalid")


async def test_a_silent_inbox_is_heard_every_fifteen_seconds(served: Serving) -> None:
    async with listening(served.client, PLACE, params=await served.ticket()) as events:
        for _ in range(3):
            await until(lambda: served.clock.next_due() is not None, what="it waits")
            served.clock.advance(timedelta(seconds=14))
            served.clock.advance(timedelta(seconds=1))
            assert (await events.next()).comment == "ping"


async def test_it_ends_when_its_ticket_does(served: Serving) -> None:
    query = await served.ticket(lasts=timedelta(seconds=10))
    async with listening(served.client, PLACE, params=query) as events:
        await until(lambda: served.clock.next_due() is not None, what="it waits")
        served.clock.advance(timedelta(seconds=10))
        await events.ended()
    again = await served.client.get(PLACE, params=query)

    assert slug(again) == "ticket-needed"


async def test_it_ends_when_the_gateway_does_and_nobody_comes_in_any_more(served: Serving) -> None:
    query = await served.ticket()
    async with listening(served.client, PLACE, params=query) as events:
        served.hub.close()
        await events.ended()
    again = await served.client.get(PLACE, params=query)

    assert (again.status_code, slug(again)) == (503, "unavailable")


async def test_one_more_page_than_there_is_room_for_is_sent_away(served: Serving) -> None:
    ada, bob = await served.ticket(), await served.ticket(BOB)
    async with listening(served.client, PLACE, params=ada), listening(served.client, PLACE, params=ada) as second:
        third = await served.client.get(PLACE, params=ada)
        async with listening(served.client, PLACE, params=bob):
            beyond = await served.client.get(PLACE, params=bob)
        await second.response.aclose()
        await until(lambda: served.hub.room_for(ADA), what="the place of a page that has gone")

    assert [third.status_code, beyond.status_code] == [429, 429]
    assert third.headers["retry-after"] == "15"


async def test_a_page_that_takes_nothing_is_disconnected(store: Store) -> None:
    clock = ManualClock()
    inboxes = Inboxes(store=store, clock=clock, most=100)
    hub = Hub(inboxes, caps=CAPS, clock=clock, alone=True)
    await inboxes.put([(letter(1), 0)])
    listener = Listening(owner=ADA, after=0, until=clock.now() + timedelta(hours=1))
    stream = EventStream(listener, events=Events(inboxes, hub, clock=clock), hub=hub, patience_seconds=0.05)
    sent: list[str] = []
    never = asyncio.Event()

    async def receive() -> dict[str, str]:
        await never.wait()
        return {"type": "http.disconnect"}

    async def send(message: object) -> None:
        sent.append(str(message))
        if "Your parcel" in sent[-1]:
            await never.wait()

    async with asyncio.timeout(10):
        await stream({"type": "http"}, receive, send)

    assert len(sent) == 3
    assert "'more_body': False" not in sent[-1]
    assert hub.room_for(ADA)
    assert not hub._of


async def test_what_another_process_puts_there_is_found_by_looking(empty: Store) -> None:
    await upgrade(empty)
    clock = ManualClock()
    ours, theirs = (Inboxes(store=empty, clock=clock, most=100) for _ in range(2))
    hub = Hub(ours, caps=CAPS, clock=clock, alone=False)
    loop = asyncio.create_task(hub.run())
    with hub.connected(ADA) as ada, hub.connected(BOB) as bob:
        await theirs.put([(letter(1), 0)])
        await woken(ada, clock)
        ada.woken.clear()
        await theirs.put([(letter(1, owner=BOB), 0)])
        await woken(bob, clock)

        # Nothing new came to hers: she is not woken for what she has seen.
        assert not ada.woken.is_set()
    hub.stop()
    await loop


async def woken(connection: Connection, clock: ManualClock) -> None:
    """Let seconds pass until a connection is woken."""
    async with asyncio.timeout(20):
        while not connection.woken.is_set():
            if (due := clock.next_due()) is not None:
                clock.advance(due - clock.now())
            await asyncio.sleep(0)
