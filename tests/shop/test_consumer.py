"""What a service reads: records that are no events do not stop it, and a group shares the work."""

import asyncio
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from loguru import logger

from examples.shop.kit import consumer
from tests.shop.shops import ADA, running
from tests.support.logs import NOW, reading, write
from tocsin.record import Record, replaced

# What is changed of a good record: headers, and the value unless None.
BAD: Sequence[tuple[Mapping[str, bytes | None], bytes | None]] = [
    ({"ce_specversion": b"0.3"}, None),
    ({"ce_id": None}, None),
    ({"ce_subject": None}, None),
    ({"ce_type": None}, None),
    ({"ce_type": b"\xff"}, None),
    ({"ce_time": b"yesterday"}, None),
    ({"ce_dataschema": b"urn:tocsin-shop:schema:OrderPlaced:2"}, None),
    ({}, b""),
    ({}, b"\x00\xff"),
    ({}, b"[]"),
    ({}, b"{}"),
    ({}, b"[" * 100_000),
]


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """Return every line that is logged."""
    logged: list[str] = []
    handler = logger.add(lambda line: logged.append(str(line)), format="{level} {message} {extra}", level=0)
    yield logged
    logger.remove(handler)


async def test_what_is_no_event_is_kept_and_the_next_one_gets_its_turn(tmp_path: Path, lines: list[str]) -> None:
    async with running(tmp_path) as shop:
        ada = await shop.customer()
        await shop.place(ada, book=1)
        await shop.at_rest()
        async with reading(shop.log, "shop.orders") as subscription:
            [good] = await subscription.fetch(limit=1, wait=NOW)
        bad = [
            Record(
                topic="shop.orders",
                key=b"%d" % number,
                value=good.value if value is None else value,
                headers=replaced(good.headers, {"ce_id": b"bad", **headers}),
            )
            for number, (headers, value) in enumerate(BAD)
        ]
        await write(shop.log, *bad)
        order = await shop.place(ada, book=1)
        await shop.at_rest()

        assert (await shop.order(order))["status"] == "SHIPPED"
        for service in ("payments", "inventory", "shipping"):
            kept = [value for (value,) in await shop.rows(service, "SELECT value FROM unreadable")]
            assert {record.value for record in bad} >= set(kept) >= {bad[3].value, bad[4].value}
        assert len(await shop.rows("payments", "SELECT * FROM unreadable")) == len(BAD)
    # What they held is told to nobody.
    assert sum("shop_event_unreadable" in line for line in lines) >= len(BAD)
    assert not any(detail in line for line in lines for detail in (ADA["name"], ADA["email"], ADA["phone"]))


async def test_events_of_types_that_a_service_does_not_know_are_passed_by(tmp_path: Path) -> None:
    async with running(tmp_path, topic="shop.events") as shop:
        await shop.place(await shop.customer(), book=1)
        await shop.at_rest()
        for service in ("payments", "inventory", "shipping", "orders"):
            assert await shop.rows(service, "SELECT count(*) FROM unreadable") == [(0,)]
        heard = await shop.rows("payments", "SELECT count(*) FROM inbox")
        assert heard == [(1,)]


async def test_a_record_that_no_transaction_can_take_does_not_take_others_with_it(tmp_path: Path) -> None:
    async with running(tmp_path, only={"customers", "orders"}) as shop:
        orders = [await shop.place(await shop.customer(), book=1) for _ in range(3)]
        _break(shop.settings.database_url("payments"), orders[1])
    async with running(tmp_path) as shop:
        await shop.at_rest()
        stands = [(await shop.order(order))["status"] for order in orders]
        assert stands == ["SHIPPED", "PENDING", "SHIPPED"]
        assert len(await shop.rows("payments", "SELECT * FROM unreadable")) == 1


async def test_a_service_that_is_stopped_does_not_wait_for_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "_WAIT", timedelta(hours=1))
    async with asyncio.timeout(60):
        async with running(tmp_path) as shop:
            await shop.place(await shop.customer(), book=1)
            await shop.at_rest()


def _break(url: str, order: str) -> None:
    """Have a database refuse the row of one order, as a bug would."""
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        connection.execute(
            f"CREATE TRIGGER bug BEFORE INSERT ON payments WHEN NEW.order_id = '{order}' "
            "BEGIN SELECT RAISE(ABORT, 'a bug'); END"
        )
    connection.close()
