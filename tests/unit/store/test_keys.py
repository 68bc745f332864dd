"""Keys and template versions, as the store keeps them."""

from datetime import timedelta

import pytest

from tests.support.clock import ManualClock
from tocsin.store.engine import Store
from tocsin.store.keys import Keys
from tocsin.store.migrate import upgrade
from tocsin.store.template_versions import TemplateVersions


@pytest.fixture
async def store(empty: Store) -> Store:
    await upgrade(empty)
    return empty


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def keys(store: Store, clock: ManualClock) -> Keys:
    return Keys(store=store, clock=clock)


async def test_a_key_is_found_by_its_hash_until_it_is_revoked(keys: Keys, clock: ManualClock) -> None:
    made = await keys.create(tenant="default", name="shop", scopes=["submit", "read", "submit"], key_hash="h1")
    assert made.scopes == {"submit", "read"}
    assert made.created_at == clock.now()
    assert await keys.find("h1") == made
    assert await keys.find("h2") is None

    clock.advance(timedelta(hours=1))
    revoked = await keys.revoke(made.key_id, tenant="default")

    assert revoked is not None
    assert revoked.revoked_at == clock.now()
    assert await keys.find("h1") is None
    assert await keys.of_tenant("default") == [revoked]


async def test_a_key_is_live_unless_it_is_made_for_tests(keys: Keys) -> None:
    live = await keys.create(tenant="default", name="shop", scopes=["submit"], key_hash="h1")
    test = await keys.create(tenant="default", name="ci", scopes=["submit"], key_hash="h2", mode="test")

    assert (live.mode, test.mode) == ("live", "test")
    assert await keys.find("h2") == test


async def test_revoking_twice_keeps_the_first_time(keys: Keys, clock: ManualClock) -> None:
    made = await keys.create(tenant="default", name="shop", scopes=["read"], key_hash="h1")
    first = await keys.revoke(made.key_id, tenant="default")
    clock.advance(timedelta(hours=1))

    assert await keys.revoke(made.key_id, tenant="default") == first


async def test_a_tenant_neither_sees_nor_revokes_the_keys_of_another(keys: Keys) -> None:
    made = await keys.create(tenant="one", name="shop", scopes=["read"], key_hash="h1")

    assert await keys.of_tenant("two") == []
    assert await keys.revoke(made.key_id, tenant="two") is None
    assert await keys.find("h1") == made


async def test_a_key_that_is_given_again_stays_as_it_is(keys: Keys, clock: ManualClock) -> None:
    """The bootstrap key comes with every start."""
    first = await keys.create(tenant="default", name="bootstrap", scopes=["admin"], key_hash="h1")
    clock.advance(timedelta(hours=1))

    assert await keys.create(tenant="default", name="other", scopes=["read"], key_hash="h1") == first


async def test_it_is_known_whether_anybody_can_still_come_in(keys: Keys) -> None:
    assert not await keys.any_left()
    made = await keys.create(tenant="default", name="first", scopes=["admin"], key_hash="h1")
    assert await keys.any_left()
    await keys.revoke(made.key_id, tenant="default")
    assert not await keys.any_left()


async def test_the_newest_key_is_listed_first(keys: Keys, clock: ManualClock) -> None:
    for name in ("old", "new"):
        await keys.create(tenant="default", name=name, scopes=["read"], key_hash=name)
        clock.advance(timedelta(seconds=1))

    assert [key.name for key in await keys.of_tenant("default")] == ["new", "old"]


async def test_a_template_version_is_kept_as_it_was_first_loaded(store: Store, clock: ManualClock) -> None:
    versions = TemplateVersions(store=store, clock=clock)
    files = {"en/subject.txt": "Hi {{ name }} ☃", "en/body.html": "<p>\x01</p>"}
    await versions.keep({})
    await versions.keep({("welcome", "v1"): files, ("bye", "v1"): {}})
    await versions.keep({("welcome", "v1"): {"en/subject.txt": "changed"}, ("welcome", "v2"): {}})

    assert await versions.load("welcome", "v1") == files
    assert await versions.load("welcome", "v2") == {}
    assert await versions.load("welcome", "v3") is None
