"""Inboxes, on every database."""

import asyncio
from datetime import timedelta

import pytest

from channels.browser.inbox import Inboxes, Standing
from channels.browser.inbox_message import Owner, Shown
from channels.browser.inbox_retention import InboxRetention
from tests.support.clock import ManualClock
from tests.support.postgres import databases
from tests.unit.browser.letters import ADA, BOB, bodies, letter, put
from tests.unit.store.conftest import empty, empty_url
from tocsin.store.engine import Store
from tocsin.store.migrate import upgrade

__all__ = ["databases", "empty", "empty_url"]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def inboxes(empty: Store, clock: ManualClock) -> Inboxes:
    await upgrade(empty)
    return Inboxes(store=empty, clock=clock, most=5)


async def test_a_message_is_found_as_it_was_put_there(inboxes: Inboxes, clock: ManualClock) -> None:
    given = letter(1, url="/parcels/7", icon="/icon.png", data='{"parcel":[7,null]}')
    await inboxes.put([(given, 3)])
    [found] = await inboxes.since(ADA, 0, limit=10)

    assert found.shown == Shown(
        category="orders",
        title="Your parcel",
        body="1",
        url="/parcels/7",
        icon="/icon.png",
        data='{"parcel":[7,null]}',
    )
    assert (found.number, found.delivery_id, found.notification_id) == (1, given.delivery_id, given.notification_id)
    assert (found.life, found.created_at, found.read_at) == (3, clock.now(), None)


async def test_a_life_of_a_delivery_lies_there_once_and_its_next_life_again(inboxes: Inboxes) -> None:
    await put(inboxes, letter(1))
    await inboxes.put([(letter(1), 0), (letter(2), 0), (letter(2), 0)])
    await put(inboxes, letter(1), life=1)

    assert await bodies(inboxes) == ["1", "2", "1"]


async def test_each_inbox_has_its_own_messages_and_numbers(inboxes: Inboxes) -> None:
    other = Owner("other", "ada")
    await inboxes.put([(letter(number, owner=owner), 0) for owner in (BOB, ADA) for number in (1, 2)])
    await put(inboxes, letter(7, owner=Owner("other", "cy")), letter(3))

    assert [each.number for each in await inboxes.since(ADA, 0, limit=10)] == [1, 2, 3]
    assert [each.number for each in await inboxes.since(BOB, 0, limit=10)] == [1, 2]
    assert await inboxes.since(other, 0, limit=10) == []
    assert await inboxes.newest([BOB, ADA, other]) == {ADA: 3, BOB: 2}


async def test_the_oldest_make_room(inboxes: Inboxes) -> None:
    await put(inboxes, *(letter(number) for number in range(4)), letter(0, owner=BOB))
    await inboxes.put([(letter(number), 0) for number in range(4, 8)])

    assert await bodies(inboxes) == ["3", "4", "5", "6", "7"]
    assert await bodies(inboxes, BOB) == ["0"]


async def test_a_reader_goes_on_after_what_it_has_seen(inboxes: Inboxes) -> None:
    await put(inboxes, *(letter(number) for number in range(5)))

    assert [each.shown.body for each in await inboxes.since(ADA, 1, limit=2)] == ["1", "2"]
    assert await bodies(inboxes, after=3) == ["3", "4"]
    assert await bodies(inboxes, after=5) == []
    assert [each.shown.body for each in await inboxes.latest(ADA, before=None, limit=2)] == ["4", "3"]
    assert [each.shown.body for each in await inboxes.latest(ADA, before=4, limit=9)] == ["2", "1", "0"]


async def test_what_was_read_is_read_at_its_first_time(inboxes: Inboxes, clock: ManualClock) -> None:
    await put(inboxes, letter(1), letter(2), letter(1, owner=BOB))
    first = clock.now()
    await inboxes.mark_read(ADA, [1], at=first)
    await inboxes.mark_read(ADA, [1, 9], at=first + timedelta(hours=1))

    assert [each.read_at for each in await inboxes.since(ADA, 0, limit=9)] == [first, None]
    assert [each.number for each in await inboxes.unread(ADA, [1, 2, 9])] == [2]
    assert await inboxes.standing(ADA) == Standing(newest=2, unread=1)
    assert await inboxes.standing(BOB) == Standing(newest=1, unread=1)
    assert await inboxes.standing(Owner("default", "nobody")) == Standing(newest=0, unread=0)


async def test_writers_side_by_side_give_every_message_its_number(empty: Store) -> None:
    await upgrade(empty)
    many = Inboxes(store=empty, clock=ManualClock(), most=1000)
    owners = [Owner("default", name) for name in "abc"]
    batches = [[(letter(number, owner=owner), 0) for owner in owners[:: number % 2 or -1]] for number in range(20)]
    await asyncio.gather(*(many.put(batch) for batch in batches))

    for owner in owners:
        found = await many.since(owner, 0, limit=100)
        assert [each.number for each in found] == list(range(1, 21))
        assert {each.shown.body for each in found} == {str(number) for number in range(20)}


async def test_more_inboxes_than_one_query_takes_are_asked_for_together(inboxes: Inboxes) -> None:
    await put(inboxes, letter(1))
    owners = [Owner("default", f"nobody-{number}") for number in range(1200)]

    assert await inboxes.newest([*owners, ADA]) == {ADA: 1}


async def test_what_has_lain_there_too_long_goes_and_numbers_go_on(inboxes: Inboxes, clock: ManualClock) -> None:
    await put(inboxes, letter(1), letter(2))
    clock.advance(timedelta(days=2))
    await put(inboxes, letter(3))
    retention = InboxRetention(inboxes, clock=clock, keep=timedelta(days=1))

    assert await inboxes.drop_older(clock.now() - timedelta(days=1), limit=1) == 1
    assert await retention.sweep() == 1
    assert await bodies(inboxes) == ["3"]
    await put(inboxes, letter(4))
    assert [each.number for each in await inboxes.since(ADA, 0, limit=9)] == [3, 4]
