"""The audit and the dead letters in PostgreSQL: the same rows as in SQLite, and two gateways at once."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from audit import tables
from dlq import items
from dlq.decisions import AlreadyDecided, Decided, Decisions
from dlq.items import State
from tests.support import postgres
from tests.support.clock import ManualClock
from tests.support.postgres import database, databases
from tests.unit.audit.stories import Story, ingest
from tests.unit.dlq import support
from tests.unit.dlq.support import Log
from tocsin.lifecycle import AuditEvent
from tocsin.store.engine import Store, open_store
from tocsin.store.migrate import upgrade

__all__ = ["database", "databases"]

pytestmark = postgres.GROUP


@pytest.fixture
async def gateways(database: str) -> AsyncIterator[list[Store]]:
    """Return the stores of two gateways on one database."""
    async with open_store(database) as one, open_store(database) as other:
        yield [one, other]


def eventful() -> list[AuditEvent]:
    story = Story(addresses=(("email", "ada@example.test"), ("sms", "+4930123456")))
    return [
        story.accepted(),
        story.attempted(1, "deferred"),
        story.retrying(1),
        story.attempted(1, "delivered", number=1),
        story.delivered(1, number=1),
        story.attempted(2, "rejected"),
        story.dead(2),
    ]


async def rows(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    async with store.read() as connection:
        return {
            name: sorted((tuple(row) for row in await connection.execute(select(table))), key=repr)
            for name, table in tables.metadata.tables.items()
        }


@pytest.mark.parametrize("seed", range(5))
async def test_the_same_events_are_the_same_rows_on_both(gateways: list[Store], tmp_path: Path, seed: int) -> None:
    events = [event for _ in range(20) for event in eventful()] * 2
    random.Random(seed).shuffle(events)
    batches = [events[at : at + 50] for at in range(0, len(events), 50)]
    await ingest(gateways[0], *batches)
    async with open_store(f"sqlite:///{tmp_path / 'store.db'}") as other:
        await upgrade(other)
        await ingest(other, *batches)

        assert await rows(gateways[0]) == await rows(other)


async def test_two_gateways_that_ingest_the_same_letters_keep_each_once(gateways: list[Store]) -> None:
    letters = [support.a_death(support.a_delivery(number=number)) for number in range(30)]
    await asyncio.gather(*(support.keep(gateways[n % 2], *random.Random(n).sample(letters, 30)) for n in range(8)))

    async with gateways[0].read() as connection:
        assert len(list(await connection.execute(select(items.dead_letters.c.id)))) == 30


async def test_of_two_gateways_that_decide_at_once_one_does(gateways: list[Store]) -> None:
    letters = [support.a_death(support.a_delivery(number=number)) for number in range(20)]
    await support.keep(gateways[0], *letters)
    log = Log()
    decisions = [
        Decisions(store=store, ledger=log, publisher=log, clock=ManualClock(support.NOW), timeout=timedelta(seconds=5))
        for store in gateways
    ]
    for letter in map(support.letter_id, letters):
        answers = await asyncio.gather(
            decisions[0].replay(letter, tenant="default", actor="key_1"),
            decisions[1].discard(letter, tenant="default", actor="key_2"),
        )

        assert {type(answer) for answer in answers} == {Decided, AlreadyDecided}
        item = await support.look(gateways[1], letter)
        assert item.state is (State.REPLAYED if isinstance(answers[0], Decided) else State.DISCARDED)


async def test_two_gateways_that_tell_of_one_notification_agree_on_its_state(
    gateways: list[Store],
) -> None:
    stories = [Story(addresses=(("email", f"a{n}@example.test"), ("sms", f"+49301{n:04}"))) for n in range(60)]
    await ingest(gateways[0], [story.accepted() for story in stories])
    for story in stories:
        # Each tells of another delivery, so neither sees what the other is writing.
        await asyncio.gather(
            ingest(gateways[0], [story.delivered(1)]),
            ingest(gateways[1], [story.dead(1, number=1)]),
        )

    async with gateways[0].read() as connection:
        states = set(await connection.scalars(select(tables.notifications.c.state)))
    assert states == {"delivered"}


async def test_a_code_with_a_nul_does_not_keep_an_end_from_being_told(gateways: list[Store]) -> None:
    story = Story()
    dead = story.dead(1)
    await ingest(gateways[0], [story.accepted(), replace(dead, data={**dead.data, "code": "550\0", "reason": "a\0b"})])

    async with gateways[0].read() as connection:
        [life] = await connection.execute(select(tables.lives))
    assert (life.state, life.code, life.reason) == (
        "dead",
        "550\N{REPLACEMENT CHARACTER}",
        "a\N{REPLACEMENT CHARACTER}b",
    )
