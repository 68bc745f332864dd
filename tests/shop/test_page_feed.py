"""The feed of the page: what a browser sees, what it misses while it is away, and what nobody is shown."""

import asyncio
import json
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, insert, select

from examples.shop.kit.database import open_database
from examples.shop.kit.settings import ShopSettings
from examples.shop.page import feed, reader
from examples.shop.page.happening import Happening
from examples.shop.page.hub import Hub
from examples.shop.page.stream import HEARTBEAT
from examples.shop.page.tables import METADATA
from examples.shop.page.tables import feed as table
from tests.shop import pages
from tests.shop.pages import NOON, joined, names, notification
from tests.support import postgres, sse
from tests.support.clock import ManualClock
from tests.support.waiting import until
from tocsin.lifecycle import Event
from tocsin.record import Record


async def test_a_browser_sees_what_happened_before_and_then_what_comes(tmp_path: Path) -> None:
    async with pages.running(tmp_path) as page:
        await page.happened(joined("Ada"), joined("Grace"))
        await page.told(2)
        async with sse.listening(page.client, "/shop/events") as events:
            before = [await events.next() for _ in range(3)]
            await page.happened(joined("Edith"))
            after = await events.next()

    assert sorted(each.data["data"]["customer"]["name"] for each in before[:2]) == ["Ada", "Grace"]
    assert before[2].type == "live"
    assert after.data["data"]["customer"]["name"] == "Edith"
    assert int(after.id or 0) > int(before[1].id or 0)


async def test_a_browser_that_comes_back_misses_nothing_also_after_a_restart(tmp_path: Path) -> None:
    async with pages.running(tmp_path) as page:
        await page.happened(joined("Ada"))
        await page.told(1)
        [ada] = await page.seen(1)
    async with pages.running(tmp_path) as page:
        await page.happened(joined("Grace"))
        await page.told(2)
        header = await page.seen(2, headers={"Last-Event-ID": ada.id})
        query = await page.seen(2, params={"last_event_id": ada.id})

    assert [each.data.get("subject") or each.type for each in header] == ["cus-Grace", "live"]
    assert query == header


async def test_what_was_seen_of_another_feed_is_told_anew(tmp_path: Path) -> None:
    async with pages.running(tmp_path) as page:
        await page.happened(joined("Ada"))
        await page.told(1)
        seen = await page.seen(3, headers={"Last-Event-ID": "9000"})
        nonsense = await page.seen(2, headers={"Last-Event-ID": "no number"})

    assert [each.type for each in seen] == ["reset", None, "live"]
    assert names([seen[1].data]) == names([nonsense[0].data]) == ["Ada"]


async def test_an_event_that_is_read_twice_is_shown_once(tmp_path: Path) -> None:
    async with pages.running(tmp_path) as page:
        await page.happened(joined("Ada"), joined("Ada"), joined("Grace"))

        assert sorted(names(await page.told(2))) == ["Ada", "Grace"]


async def test_what_cannot_be_read_keeps_nothing_else_from_being_shown(tmp_path: Path) -> None:
    whole = joined("Ada")
    accepted, *_ = notification(1, metadata={"order_id": "order-1"})
    broken = [
        *(
            changed(accepted, data=each)
            for each in ({"metadata": 7}, {"metadata": {"order_id": "1"}, "deliveries": [7]})
        ),
        changed(accepted, time="2030-01-01T12:00:00"),
        changed(accepted, notification_id="ntf_\0"),
        joined("Grace", event_id="\0"),
        Record(topic=whole.topic, key=whole.key, value=b"{", headers=whole.headers),
        Record(topic=whole.topic, key=whole.key, value=b"{}", headers=()),
        Record(topic="notifications.audit", key=b"x", value=b"[]"),
        Record(topic="notifications.audit", key=b"x", value=b"\xff"),
    ]
    async with pages.running(tmp_path) as page:
        await page.happened(*broken, whole)
        told = await page.told(1)
        # The log is told how far the page has come, past all of it: nothing is kept for it.
        async with asyncio.timeout(20):
            while any((await page.log.group_lag("shop.page")).values()):  # noqa: ASYNC110 - of a commit there is no event
                await asyncio.sleep(0.002)

    assert names(told) == ["Ada"]


def changed(record: Record, **members: Any) -> Record:
    """Return an event of the audit with other members."""
    return Record(
        topic=record.topic, key=record.key, value=json.dumps({**json.loads(record.value), **members}).encode()
    )


async def test_notifications_of_others_are_not_shown_and_no_address_is(tmp_path: Path) -> None:
    ours = notification(1, Event.ATTEMPTED, Event.DELIVERED, metadata={"order_id": "order-1"}, outcome="delivered")
    others = notification(2, Event.ATTEMPTED, Event.DELIVERED, metadata={"campaign": "spring"}, outcome="delivered")
    async with pages.running(tmp_path) as page:
        await page.happened(*others, *ours, joined("last"))
        told = [each for each in await page.told(4) if each["kind"] == "notification"]

    assert [each["type"].rpartition(".")[2] for each in told] == ["accepted", "attempted", "delivered"]
    assert {each["notification_id"] for each in told} == {f"ntf_{1:026d}"}
    assert told[0]["order_id"] == "order-1"
    assert pages.ADDRESS not in pages.text_of(told)


async def test_a_browser_hears_that_the_shop_is_there_when_nothing_happens(tmp_path: Path) -> None:
    clock = ManualClock()
    async with pages.running(tmp_path, clock=clock) as page, sse.listening(page.client, "/shop/events") as events:
        live = await events.next()
        await until(lambda: clock.next_due() is not None, what="the feed's timer")
        beat = asyncio.create_task(events.next())
        while not beat.done():
            clock.advance(HEARTBEAT)
            await asyncio.wait([beat], timeout=0.02)

    assert live.type == "live"
    assert beat.result().comment is not None


async def test_browsers_are_sent_away_when_the_shop_closes(tmp_path: Path) -> None:
    # The browser outlives the shop.
    async with asyncio.timeout(15), httpx.AsyncClient() as browser, AsyncExitStack() as stack:
        async with pages.running(tmp_path) as page:
            events = await stack.enter_async_context(sse.listening(browser, f"{page.client.base_url}/shop/events"))
            live = await events.next()
        await events.ended()

    assert live.type == "live"


async def test_a_page_that_is_stopped_does_not_wait_for_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "_WAIT", timedelta(hours=1))
    async with asyncio.timeout(60):
        async with pages.running(tmp_path) as page:
            await page.happened(joined("Ada"))
            await page.told(1)


async def test_a_page_that_is_restarted_makes_room_with_the_first_that_it_hears(tmp_path: Path) -> None:
    async with pages.running(tmp_path) as page:
        await page.happened(joined("Ada"))
        await page.told(1)
    async with (
        open_database(ShopSettings(data=tmp_path).database_url("page")) as database,
        database.begin() as connection,
    ):
        rows = [{"key": f"{n}", "type": "OrderPlaced", "at_ms": 0, "body": b"{}"} for n in range(feed.KEPT + 10)]
        await connection.execute(insert(table), rows)
    async with pages.running(tmp_path) as page:
        await page.happened(joined("Grace"))
        async with asyncio.timeout(20):
            while "Grace" not in pages.text_of((await page.told(feed.SHOWN))[-1]):
                pass
    async with (
        open_database(ShopSettings(data=tmp_path).database_url("page")) as database,
        database.begin() as connection,
    ):
        count = await connection.scalar(select(func.count()).select_from(table))

    assert count == feed.KEPT


@postgres.GROUP
async def test_copies_that_share_a_database_show_the_same(tmp_path: Path, databases: postgres.Databases) -> None:
    people = [f"Ada {number}" for number in range(40)]
    async with databases.empty() as url:
        settings = ShopSettings(data=tmp_path, databases={"page": url})
        async with pages.copies(settings, count=2) as [one, other]:
            # Each copy reads some of the partitions, and a browser of either sees what both have read, as it comes.
            async with sse.listening(other.client, "/shop/events") as events:
                await one.happened(*(joined(name) for name in people))
                live = await events.take(1 + len(people))
            told = [await page.told(len(people)) for page in (one, other)]

    assert sorted(names([each for each in live if each])) == sorted(people)
    assert sorted(names(told[0])) == sorted(people)
    assert told[0] == told[1]


def test_only_so_many_browsers_listen_at_a_time() -> None:
    hub = Hub(most=2)
    with hub.connected() as woken, hub.connected():
        full = hub.full
        hub.wake()

    assert full
    assert woken.is_set()
    assert not hub.full


async def test_only_so_many_entries_are_kept_and_their_numbers_go_on(tmp_path: Path) -> None:
    async with open_database(f"sqlite:///{tmp_path}/page.db") as database:
        await database.make(METADATA, service="page")
        for batch in range(3):
            happenings = [
                Happening(key=f"{batch}-{each}", type="CustomerCreated", at=NOON + timedelta(seconds=each), body=b"{}")
                for each in range(10)
            ]
            async with database.begin() as connection:
                await feed.add(connection, happenings)
                await feed.forget(connection, kept=12)
        async with database.begin() as connection:
            count, oldest, newest = (
                await connection.execute(select(func.count(), func.min(table.c.number), func.max(table.c.number)))
            ).one()

    assert (count, oldest, newest) == (12, 19, 30)
