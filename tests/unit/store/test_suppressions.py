"""Suppressed addresses in the store: one row each, whatever is told of it in whatever order."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from tests.support.clock import ManualClock
from tocsin.store import suppressions, suppressions_listing
from tocsin.store.engine import Store
from tocsin.store.migrate import upgrade
from tocsin.store.suppressions import Suppression, Suppressions, Told, identity
from tocsin.store.suppressions_listing import Filter

ADA, BOB = "ada@example.test", "bob@example.test"
HOUR = timedelta(hours=1)


@pytest.fixture
async def store(empty: Store) -> Store:
    await upgrade(empty)
    return empty


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def kept(store: Store, clock: ManualClock) -> Suppressions:
    return Suppressions(store=store, clock=clock)


def bounced(at: datetime, address: str = ADA, *, tenant: str = "default") -> Told:
    return Told(tenant=tenant, channel="email", address=address, reason="hard_bounce", source="smtp", at=at)


async def keep(store: Store, clock: ManualClock, *told: Told) -> None:
    async with store.write() as connection:
        await suppressions.keep(connection, told, now=clock.now())


async def listed(store: Store, clock: ManualClock, wanted: Filter | None = None) -> Sequence[Suppression]:
    return await suppressions_listing.page(
        store, wanted or Filter(), tenant="default", now=clock.now(), below=None, limit=100
    )


async def test_an_address_is_suppressed_until_it_is_lifted(kept: Suppressions, clock: ManualClock) -> None:
    made, new = await kept.add(bounced(clock.now()))
    assert new
    assert await kept.reason("default", "email", ADA) == "hard_bounce"
    assert await kept.reason("default", "sms", ADA) is None
    assert await kept.reason("default", "email", BOB) is None

    clock.advance(HOUR)
    lifted = await kept.lift(made.id, tenant="default")

    assert lifted == replace(made, lifted_at=clock.now())
    assert await kept.reason("default", "email", ADA) is None


async def test_upper_and_lower_case_are_one_address(kept: Suppressions, clock: ManualClock) -> None:
    await kept.add(bounced(clock.now(), "Ada@Example.test"))
    again, new = await kept.add(bounced(clock.now()))

    assert not new
    assert again.address == "Ada@Example.test"
    assert await kept.reason("default", "email", ADA) == "hard_bounce"


async def test_what_is_suppressed_stays_as_it_was_told_first(kept: Suppressions, clock: ManualClock) -> None:
    first, _ = await kept.add(bounced(clock.now()))
    clock.advance(HOUR)
    again = replace(bounced(clock.now()), reason="complaint", source="desk", expires_at=clock.now() + HOUR)

    assert await kept.add(again) == (first, False)


async def test_of_two_the_one_that_lasts_longer_holds(kept: Suppressions, clock: ManualClock) -> None:
    await kept.add(replace(bounced(clock.now()), expires_at=clock.now() + HOUR))
    longer, changed = await kept.add(replace(bounced(clock.now()), expires_at=clock.now() + 2 * HOUR))
    forever, changed_again = await kept.add(bounced(clock.now()))

    assert (changed, changed_again) == (True, True)
    assert longer.expires_at == clock.now() + 2 * HOUR
    assert forever.expires_at is None


async def test_a_suppression_that_expired_holds_no_longer_and_can_be_told_anew(
    kept: Suppressions, store: Store, clock: ManualClock
) -> None:
    await kept.add(replace(bounced(clock.now()), expires_at=clock.now() + HOUR))
    clock.advance(HOUR)
    assert await kept.reason("default", "email", ADA) is None
    assert await listed(store, clock) == []

    _, changed = await kept.add(replace(bounced(clock.now()), expires_at=clock.now() + HOUR))

    assert changed
    assert await kept.reason("default", "email", ADA) == "hard_bounce"


async def test_an_old_bounce_that_is_read_again_does_not_undo_a_lift(
    kept: Suppressions, store: Store, clock: ManualClock
) -> None:
    bounce = bounced(clock.now())
    await keep(store, clock, bounce)
    clock.advance(HOUR)
    await kept.lift(identity("default", "email", ADA), tenant="default")
    await keep(store, clock, bounce)
    assert await kept.reason("default", "email", ADA) is None

    clock.advance(HOUR)
    await keep(store, clock, bounced(clock.now()))

    assert await kept.reason("default", "email", ADA) == "hard_bounce"


@pytest.mark.parametrize("seed", range(5))
async def test_events_in_any_order_and_any_number_are_the_same_addresses(
    store: Store, clock: ManualClock, seed: int
) -> None:
    told = [bounced(clock.now() + n * HOUR, f"a{n % 4}@example.test") for n in range(12)] * 2
    clock.advance(24 * HOUR)
    shuffled = random.Random(seed).sample(told, len(told))
    await keep(store, clock, *shuffled[:7])
    await keep(store, clock, *shuffled[7:])

    assert {each.address for each in await listed(store, clock)} == {f"a{n}@example.test" for n in range(4)}


def unsubscribed(at: datetime, category: str, address: str = ADA) -> Told:
    return replace(bounced(at, address), reason="unsubscribe", source="unsubscribe_link", category=category)


async def test_a_category_is_held_back_on_its_own(kept: Suppressions, clock: ManualClock) -> None:
    made, new = await kept.add(unsubscribed(clock.now(), "newsletter"))
    assert (new, made.category) == (True, "newsletter")
    assert await kept.reason("default", "email", ADA, "newsletter") == "unsubscribe"
    assert await kept.reason("default", "email", ADA, "Newsletter") is None
    assert await kept.reason("default", "email", ADA, "orders") is None
    assert await kept.reason("default", "email", ADA) is None
    assert await kept.reason("default", "email", BOB, "newsletter") is None

    clock.advance(HOUR)
    await kept.lift(made.id, tenant="default")

    assert await kept.reason("default", "email", ADA, "newsletter") is None


async def test_what_holds_everything_back_holds_each_category_back(kept: Suppressions, clock: ManualClock) -> None:
    await kept.add(unsubscribed(clock.now(), "newsletter"))
    whole, _ = await kept.add(bounced(clock.now()))
    assert await kept.reason("default", "email", ADA, "newsletter") == "hard_bounce"
    assert await kept.reason("default", "email", ADA, "orders") == "hard_bounce"

    await kept.lift(whole.id, tenant="default")

    assert await kept.reason("default", "email", ADA, "newsletter") == "unsubscribe"
    assert await kept.reason("default", "email", ADA, "orders") is None


async def test_the_rows_of_an_address_are_found_together(store: Store, clock: ManualClock) -> None:
    await keep(store, clock, bounced(clock.now()), *(unsubscribed(clock.now(), each) for each in ("a", "b")))
    await keep(store, clock, unsubscribed(clock.now(), "a", BOB))
    found = await listed(store, clock, Filter(address_ids=[identity("default", "email", ADA.upper())]))

    assert {each.category for each in found} == {None, "a", "b"}
    assert {each.id for each in found} == {identity("default", "email", ADA, each) for each in (None, "a", "b")}
    assert {each.address for each in await listed(store, clock, Filter(category="a"))} == {ADA, BOB}


async def test_lifting_twice_keeps_the_first_time(kept: Suppressions, clock: ManualClock) -> None:
    made, _ = await kept.add(bounced(clock.now()))
    first = await kept.lift(made.id, tenant="default")
    clock.advance(HOUR)

    assert await kept.lift(made.id, tenant="default") == first


async def test_a_tenant_neither_sees_nor_lifts_what_is_anothers(
    kept: Suppressions, store: Store, clock: ManualClock
) -> None:
    made, _ = await kept.add(bounced(clock.now(), tenant="other"))

    assert await kept.lift(made.id, tenant="default") is None
    assert await listed(store, clock) == []
    assert await kept.reason("default", "email", ADA) is None
    assert await kept.reason("other", "email", ADA) == "hard_bounce"


async def test_what_was_lifted_long_ago_is_forgotten(kept: Suppressions, clock: ManualClock) -> None:
    ada, _ = await kept.add(bounced(clock.now()))
    bob, _ = await kept.add(bounced(clock.now(), BOB))
    await kept.lift(ada.id, tenant="default")
    clock.advance(timedelta(days=31))
    await kept.lift(bob.id, tenant="default")

    assert await kept.lift(ada.id, tenant="default") is None
    assert await kept.lift(bob.id, tenant="default") is not None


async def test_a_list_is_read_in_pages_newest_first(store: Store, clock: ManualClock) -> None:
    for number in range(5):
        # Two at a time have the same moment.
        await keep(store, clock, bounced(clock.now() + number // 2 * HOUR, f"a{number}@example.test"))
    whole = await listed(store, clock)
    pages: list[Suppression] = []
    below = None
    while page := await suppressions_listing.page(
        store, Filter(), tenant="default", now=clock.now(), below=below, limit=2
    ):
        pages += page
        below = suppressions_listing.position(page[-1])

    assert [each.added_at for each in whole] == sorted((each.added_at for each in whole), reverse=True)
    assert pages == whole
    assert len(pages) == 5


async def test_a_list_is_narrowed_by_what_is_asked_for(store: Store, clock: ManualClock) -> None:
    phone = replace(bounced(clock.now(), "+4930123456"), channel="sms", reason="opt_out")
    await keep(store, clock, bounced(clock.now()), bounced(clock.now(), BOB), phone)

    async def found(wanted: Filter) -> set[str]:
        return {each.address for each in await listed(store, clock, wanted)}

    assert await found(Filter(channel="sms")) == {phone.address}
    assert await found(Filter(reason="hard_bounce")) == {ADA, BOB}
    assert await found(Filter(address_ids=[identity("default", "email", BOB)])) == {BOB}
    assert await found(Filter(address_ids=[])) == set()
    assert await found(Filter(channel="email", reason="opt_out")) == set()


async def test_a_process_of_before_there_were_categories_still_adds_addresses(
    store: Store, kept: Suppressions, clock: ManualClock
) -> None:
    """It runs on for a while after another has migrated the store, and what it cannot write would be quarantined."""
    columns = "id, tenant, channel, address, reason, source, added_at, changed_at"
    values = f"'{identity('default', 'email', ADA)}', 'default', 'email', '{ADA}', 'opt_out', 'smtp', 1, 1"
    async with store.write() as connection:
        await connection.execute(text(f"INSERT INTO suppressions ({columns}) VALUES ({values})"))

    assert await kept.reason("default", "email", ADA, "newsletter") == "opt_out"
    found = Filter(address_ids=[identity("default", "email", ADA)])
    assert [each.reason for each in await listed(store, clock, found)] == ["opt_out"]


async def test_a_lift_for_a_reason_holds_for_what_comes_late_and_for_nothing_else(
    kept: Suppressions, clock: ManualClock
) -> None:
    asked = replace(bounced(clock.now()), reason="opt_out")
    clock.advance(HOUR)
    assert not await kept.lift_of(replace(asked, at=clock.now()))
    await kept.add(asked)
    assert await kept.reason("default", "email", ADA) is None

    await kept.add(replace(asked, at=clock.now() + HOUR))
    assert not await kept.lift_of(replace(asked, at=clock.now()))
    assert await kept.reason("default", "email", ADA) == "opt_out"
    assert await kept.lift_of(replace(asked, at=clock.now() + HOUR))

    await kept.add(bounced(clock.now() + HOUR))
    assert not await kept.lift_of(replace(asked, at=clock.now() + 2 * HOUR))
    assert await kept.reason("default", "email", ADA) == "hard_bounce"
