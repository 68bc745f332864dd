"""Lists: each filter, newest first, and pages that lose and repeat nothing."""

from datetime import timedelta
from typing import Any

import pytest

from dlq import listing
from dlq.decisions import Decisions
from dlq.items import State
from dlq.listing import Filter
from tests.unit.dlq import support
from tocsin.deadletter import Reason
from tocsin.store.engine import Store

HOUR = timedelta(hours=1)
FIRST = support.a_death(support.a_delivery(number=1), at=support.NOW)
SECOND = support.a_death(support.a_delivery(number=2), at=support.NOW + HOUR, reason=Reason.EXHAUSTED, code="451 4.7.1")
TEXTED = support.a_death(support.a_delivery(number=3, channel="sms"), at=support.NOW + 2 * HOUR, code="30003")
RIDDLE = support.a_riddle(at=support.NOW + 3 * HOUR)
FOREIGN = support.a_death(support.a_delivery(number=4, tenant="acme"), at=support.NOW)
NAMES = {
    support.letter_id(each): name
    for each, name in [
        (FIRST, "first"),
        (SECOND, "second"),
        (TEXTED, "texted"),
        (RIDDLE, "riddle"),
        (FOREIGN, "foreign"),
    ]
}


async def listed(store: Store, tenant: str = "default", **wanted: Any) -> list[str]:
    async with store.read() as connection:
        found = await listing.page(connection, Filter(**wanted), tenant=tenant, below=None, limit=10)
    return [NAMES[item.id] for item in found]


CASES: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["riddle", "texted", "second", "first"]),
    ({"channel": "sms"}, ["texted"]),
    ({"reason": "exhausted"}, ["second"]),
    ({"code": "30003"}, ["texted"]),
    ({"state": State.OPEN}, ["riddle", "texted", "second"]),
    ({"state": State.REPLAYED}, ["first"]),
    ({"since": support.NOW + HOUR}, ["riddle", "texted", "second"]),
    ({"since": support.NOW + HOUR + timedelta(microseconds=1)}, ["riddle", "texted"]),
    ({"until": support.NOW + HOUR}, ["first"]),
    ({"until": support.NOW + HOUR + timedelta(microseconds=1)}, ["second", "first"]),
    ({"notification_id": support.a_delivery(number=2).notification_id}, ["second"]),
    ({"channel": "email", "reason": "rejected", "state": State.DISCARDED}, []),
]


@pytest.mark.parametrize(("wanted", "names"), CASES)
async def test_filters(store: Store, decisions: Decisions, wanted: dict[str, Any], names: list[str]) -> None:
    await support.keep(store, FIRST, SECOND, TEXTED, RIDDLE, FOREIGN)
    await decisions.replay(support.letter_id(FIRST), tenant="default", actor="key_1")
    assert await listed(store, **wanted) == names


async def test_a_tenant_sees_its_own_letters(store: Store) -> None:
    await support.keep(store, FIRST, RIDDLE, FOREIGN)
    assert await listed(store, tenant="acme") == ["foreign"]


async def test_pages_follow_each_other_through_deaths_of_one_moment(store: Store) -> None:
    letters = [
        support.a_death(support.a_delivery(number=number), at=support.NOW + timedelta(seconds=number // 3))
        for number in range(10)
    ]
    await support.keep(store, *letters)
    seen: list[str] = []
    below = None
    async with store.read() as connection:
        while page := await listing.page(connection, Filter(), tenant="default", below=below, limit=4):
            seen += [item.id for item in page]
            below = listing.position(page[-1])
    newest = sorted(((each.timestamp, support.letter_id(each)) for each in letters), reverse=True)
    assert seen == [letter_id for _, letter_id in newest]
