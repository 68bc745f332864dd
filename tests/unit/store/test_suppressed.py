"""The suppressed addresses in memory: as new as the store, and no look into it for anybody else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from tests.support.clock import ManualClock
from tocsin.errors import StoreUnavailable
from tocsin.store import suppressed, suppressions, tables
from tocsin.store.engine import Store
from tocsin.store.migrate import upgrade
from tocsin.store.suppressed import SuppressedAddresses
from tocsin.store.suppressions import Suppressions, Told, identity

ADA = "ada@example.test"
SECOND = timedelta(seconds=1)


class Reading:
    """A store that counts how often it is read, and that can be away."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.reads = 0
        self.away = False

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Any]:
        if self.away:
            raise StoreUnavailable("the store is away")
        self.reads += 1
        async with self._store.read() as connection:
            yield connection


@pytest.fixture
async def store(empty: Store) -> Store:
    await upgrade(empty)
    return empty


@pytest.fixture
def reading(store: Store) -> Reading:
    return Reading(store)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def addresses(reading: Reading, clock: ManualClock) -> SuppressedAddresses:
    return SuppressedAddresses(store=reading, clock=clock)  # type: ignore[arg-type] # reads as a store does


async def add(store: Store, clock: ManualClock, *given: str, category: str | None = None) -> None:
    bare = Told(tenant="default", channel="email", address="", reason="hard_bounce", source="smtp", at=clock.now())
    told = [replace(bare, address=each, category=category) for each in given]
    async with store.write() as connection:
        await suppressions.keep(connection, told, now=clock.now())


async def test_nothing_is_known_before_the_load(
    addresses: SuppressedAddresses, store: Store, clock: ManualClock
) -> None:
    await add(store, clock, ADA)
    before = addresses.loaded
    await addresses.refresh()

    assert (before, addresses.loaded) == (False, True)
    assert await addresses.reason("default", "email", ADA) == "hard_bounce"
    assert await addresses.reason("default", "email", ADA.upper()) == "hard_bounce"
    assert await addresses.reason("default", "sms", ADA) is None
    assert await addresses.reason("other", "email", ADA) is None


async def test_any_other_address_costs_no_look_into_the_store(
    addresses: SuppressedAddresses, store: Store, reading: Reading, clock: ManualClock
) -> None:
    await add(store, clock, ADA)
    await addresses.refresh()
    before = reading.reads
    for number in range(100):
        assert await addresses.reason("default", "email", f"a{number}@example.test") is None

    assert reading.reads == before


async def test_what_holds_one_category_back_holds_no_other_back(
    addresses: SuppressedAddresses, store: Store, reading: Reading, clock: ManualClock
) -> None:
    await add(store, clock, ADA, category="newsletter")
    await addresses.refresh()
    assert len(addresses) == 1
    assert await addresses.reason("default", "email", ADA, "newsletter") == "hard_bounce"

    before = reading.reads
    assert await addresses.reason("default", "email", ADA, "orders") is None
    assert await addresses.reason("default", "email", "bob@example.test", "newsletter") is None
    assert await addresses.reason("default", "email", ADA) is None
    assert reading.reads == before

    clock.advance(SECOND)
    row = identity("default", "email", ADA, "newsletter")
    await Suppressions(store=store, clock=clock).lift(row, tenant="default")
    await addresses.refresh()
    assert len(addresses) == 0


async def test_many_are_loaded_in_pages(
    addresses: SuppressedAddresses, store: Store, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suppressed, "_PAGE", 10)
    given = [f"a{number}@example.test" for number in range(25)]
    await add(store, clock, *given)
    await addresses.refresh()

    assert len(addresses) == 25
    assert [await addresses.reason("default", "email", each) for each in given] == ["hard_bounce"] * 25


async def test_what_is_added_later_is_seen_at_the_next_look(
    addresses: SuppressedAddresses, store: Store, clock: ManualClock
) -> None:
    await addresses.refresh()
    clock.advance(SECOND)
    await add(store, clock, ADA)
    assert await addresses.reason("default", "email", ADA) is None
    clock.advance(SECOND)
    await addresses.refresh()

    assert await addresses.reason("default", "email", ADA) == "hard_bounce"


async def test_a_row_that_became_visible_late_is_seen_all_the_same(
    addresses: SuppressedAddresses, store: Store, clock: ManualClock
) -> None:
    """Its writer took the time, and committed after others that took theirs later."""
    written_at = clock.now()
    clock.advance(timedelta(seconds=20))
    await add(store, clock, "bob@example.test")
    await addresses.refresh()
    await add(store, ManualClock(written_at), ADA)
    clock.advance(SECOND)
    await addresses.refresh()

    assert await addresses.reason("default", "email", ADA) == "hard_bounce"


async def test_a_look_reads_what_is_new_and_not_everything(
    addresses: SuppressedAddresses, store: Store, reading: Reading, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suppressed, "_PAGE", 10)
    await add(store, clock, *(f"a{number}@example.test" for number in range(100)))
    clock.advance(timedelta(minutes=5))
    await addresses.refresh()
    before = reading.reads
    clock.advance(SECOND)
    await addresses.refresh()

    assert reading.reads - before == 1


async def test_a_lift_holds_at_once_and_is_forgotten_at_the_next_look(
    addresses: SuppressedAddresses, store: Store, clock: ManualClock
) -> None:
    await add(store, clock, ADA)
    await addresses.refresh()
    clock.advance(SECOND)
    await Suppressions(store=store, clock=clock).lift(identity("default", "email", ADA), tenant="default")

    assert await addresses.reason("default", "email", ADA) is None
    await addresses.refresh()
    assert len(addresses) == 0


async def test_what_expired_is_not_held(addresses: SuppressedAddresses, store: Store, clock: ManualClock) -> None:
    await add(store, clock, ADA)
    async with store.write() as connection:
        await connection.execute(update(tables.suppressions).values(expires_at=0))
    await addresses.refresh()

    assert len(addresses) == 0


async def test_while_the_store_is_away_what_was_known_last_holds(
    addresses: SuppressedAddresses, store: Store, reading: Reading, clock: ManualClock
) -> None:
    await add(store, clock, ADA)
    await addresses.refresh()
    reading.away = True
    with pytest.raises(StoreUnavailable):
        await addresses.refresh()

    assert addresses.loaded
    assert await addresses.reason("default", "email", ADA) == "hard_bounce"
    assert await addresses.reason("default", "email", "bob@example.test") is None


async def test_after_an_outage_all_of_it_is_caught_up(
    addresses: SuppressedAddresses, store: Store, reading: Reading, clock: ManualClock
) -> None:
    await addresses.refresh()
    reading.away = True
    clock.advance(SECOND)
    await add(store, clock, ADA)
    clock.advance(timedelta(hours=1))
    with pytest.raises(StoreUnavailable):
        await addresses.refresh()
    reading.away = False
    await addresses.refresh()

    assert await addresses.reason("default", "email", ADA) == "hard_bounce"
