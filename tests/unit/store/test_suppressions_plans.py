"""How the suppressed addresses are looked for: by an index, whatever is asked, however many there are."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from tests.support.clock import ManualClock
from tocsin.store import suppressions_listing
from tocsin.store.engine import Store, open_store
from tocsin.store.migrate import upgrade
from tocsin.store.suppressions import Suppressions, Told
from tocsin.store.suppressions_listing import Filter, Position

BELOW = Position(added_at_ms=1, suppression_id="sup_1")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(f"sqlite:///{tmp_path / 'store.db'}") as opened:
        await upgrade(opened)
        yield opened


class Plans:
    """The statements that were made, and how the database went about them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._made: list[tuple[str, Any]] = []

    def take(self, _connection: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        """Keep a statement. A listener of SQLAlchemy's `before_cursor_execute`."""
        self._made.append((statement, parameters))

    async def steps(self, verb: str) -> list[str]:
        """Return the steps of the statements that begin so."""
        async with self._store.read() as connection:
            found: list[Any] = []
            for statement, parameters in [each for each in self._made if each[0].startswith(verb)]:
                found += await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        return [str(row.detail) for row in found]


@pytest.fixture
async def plans(store: Store) -> AsyncIterator[Plans]:
    made = Plans(store)
    async with store.write() as connection:
        engine = connection.engine.sync_engine
    async with store.read() as connection:
        engines = {engine, connection.engine.sync_engine}
    for each in engines:
        event.listen(each, "before_cursor_execute", made.take)
    yield made
    for each in engines:
        event.remove(each, "before_cursor_execute", made.take)


@pytest.mark.parametrize("below", [None, BELOW])
@pytest.mark.parametrize(
    "wanted", [Filter(), Filter(reason="complaint"), Filter(channel="sms"), Filter(channel="sms", reason="opt_out")]
)
async def test_a_page_is_read_in_the_order_of_an_index(
    store: Store, plans: Plans, wanted: Filter, below: Position | None
) -> None:
    now = ManualClock().now()
    await suppressions_listing.page(store, wanted, tenant="default", now=now, below=below, limit=10)
    [step] = await plans.steps("SELECT")

    assert step.startswith("SEARCH suppressions USING INDEX suppressions_")
    assert ("newest" in step) == (wanted == Filter())


async def test_a_lift_reads_its_row_and_what_is_over(store: Store, plans: Plans) -> None:
    clock = ManualClock()
    kept = Suppressions(store=store, clock=clock)
    at = clock.now()
    told = Told(tenant="default", channel="sms", address="+12025550143", reason="opt_out", source="twilio", at=at)
    row, _ = await kept.add(told)
    await kept.lift(row.id, tenant="default")
    await kept.lift_of(replace(told, at=at + timedelta(days=1)))
    steps = await plans.steps("UPDATE") + await plans.steps("DELETE")

    assert steps
    assert not [step for step in steps if step.startswith("SCAN")]


async def test_an_address_is_found_by_an_index(store: Store, plans: Plans) -> None:
    kept = Suppressions(store=store, clock=ManualClock())
    await kept.reason("default", "email", "ada@example.test", "newsletter")
    steps = await plans.steps("SELECT")

    assert [step for step in steps if "suppressions_of_address" in step]
    assert not [step for step in steps if step.startswith("SCAN")]
