"""The load script in its short form, and with `--long` as large as it is meant: the sums are right after every kill."""

import asyncio
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random

import httpx
import pytest
from fastapi import FastAPI, Response

from examples.shop.load import letters, ordeal, traffic
from examples.shop.load.books import Books, Told
from examples.shop.load.letters import Letter, Post
from examples.shop.load.ordeal import Endured, Options, endured
from examples.shop.load.plan import planned
from examples.shop.load.stage import Log
from examples.shop.load.sums import Came, Sum, reckoned
from examples.shop.load.traffic import Refused, Traffic
from examples.shop.start import GATEWAY
from tests.support import cluster, kafka_jars, postgres
from tocsin.runtime import server

pytestmark = pytest.mark.timeout(900)
NOBODY = Books(
    orders={}, payments={}, reservations={}, stock={}, movements={}, events=(), untold=0, early=0, unreadable=0
)
NOTHING = Came(post=Post(mails={}, second=0), texts={})


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no settings but those of the test."""
    for name in [name for name in os.environ if name.startswith(("TOCSIN", "SHOP_"))]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def of_cluster() -> Iterator[Mapping[str, str]]:
    """Return the settings that name a Kafka and a PostgreSQL of these tests' own: the topics have the real names."""
    postgres.binaries()
    if reason := kafka_jars.missing():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    with cluster.environment() as settings:
        yield settings


async def loaded(log: Log, data: Path, *, long: bool, **others: int) -> Endured:
    """Load the shop, and tell what came of it."""
    options = Options(log=log, orders=1000 if long else 60, kills=6 if long else 2, data=data, **others)
    found = await endured(options, _say)
    for each in found.sums:
        _say(each.line())
    assert found.kills == options.kills
    return found


def _say(text: str) -> None:
    print(text)  # noqa: T201 - with --long it is read


async def test_the_sums_are_right_though_the_one_process_is_killed(tmp_path: Path, long: bool) -> None:
    found = await loaded("embedded", tmp_path, long=long)

    assert [each.line() for each in found.sums if not each.right] == []
    assert found.right


async def test_the_sums_are_right_on_a_single_topic(
    tmp_path: Path, long: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_TOPIC", "shop.events")
    monkeypatch.setenv("TOCSIN__EVENTLOG__PARTITIONS", "1")
    found = await loaded("embedded", tmp_path, long=long)

    assert [each.line() for each in found.sums if not each.right] == []
    assert found.right


@pytest.mark.xdist_group("kafka")
async def test_the_sums_are_right_on_kafka_though_services_are_killed(
    tmp_path: Path, long: bool, of_cluster: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in of_cluster.items():
        monkeypatch.setenv(name, value)
    found = await loaded("kafka", tmp_path, long=long, copies=2)

    assert [each.line() for each in found.sums if not each.right] == []
    assert found.right


@pytest.mark.parametrize(
    ("status", "patience_seconds", "said"),
    [(422, 60.0, "POST customers: 422"), (503, 0.3, "POST customers: no answer within 0.3 s")],
)
async def test_what_the_shop_refuses_is_said_once_whoever_else_is_under_way(
    status: int, patience_seconds: float, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traffic, "_PATIENCE_SECONDS", patience_seconds)
    app = FastAPI()

    @app.post("/customers")
    async def create() -> Response:
        return Response(status_code=status)

    async with server.serving(app, server.listen("127.0.0.1", 0)) as url, httpx.AsyncClient(trust_env=False) as client:
        customers = Traffic(client, {"customers": url}, random=Random(1))
        with pytest.raises(Refused, match=said):
            await customers.order(planned(20, random=Random(1)))


async def test_nobody_is_killed_once_an_order_was_refused() -> None:
    async def refused() -> None:
        raise Refused("no")

    async with httpx.AsyncClient() as client:
        never = Traffic(client, {}, random=Random(1)).reached(1)
        with pytest.raises(Refused, match="no"):
            await ordeal._first_of(never, asyncio.create_task(refused()))


def test_a_sum_is_right_only_where_both_sides_are_the_same() -> None:
    assert Sum(what="a", found=1, wanted=1).right
    assert not Sum(what="a", found=0, wanted=1).right
    assert not Sum(what="a", found=2, wanted=1).right
    assert not Sum(what="a", found=1, wanted=1, astray=1).right
    assert Sum(what="a", found=0, wanted=1, most=True).right
    assert not Sum(what="a", found=2, wanted=1, most=True).right
    assert Sum(what="a", found=0, wanted=1).line().startswith("WRONG")


def test_what_is_missing_or_too_much_makes_a_sum_wrong() -> None:
    plan = planned(1, random=Random(1))
    placed = Told(type="OrderPlaced", subject="o", data={"customer": {"email": "a@load.example", "phone": None}})
    asked = Books(
        **{name: getattr(NOBODY, name) for name in NOBODY.__slots__} | {"events": [placed], "untold": 1, "early": 1}
    )
    came = Came(post=Post(mails={Letter(template="welcome", to="b@load.example"): 1}, second=9), texts={"+491": 2})
    wrong = {each.what for each in reckoned(plan, asked, came, opened={}, excused=5) if not each.right}

    assert wrong == {
        "orders placed, and in the books",
        "orders ended, each as it had to",
        "events that are in an outbox still",
        "events that still wait for their step",
        "mails: order-confirmation, each once",
        "mails: welcome, each once",
        "texts: to each who has a phone, once shipped",
        "second sends, of what was in flight at the kills",
    }
    assert all(each.right for each in reckoned([], NOBODY, NOTHING, opened={}, excused=0))


def test_the_beginnings_of_subjects_tell_the_templates_apart() -> None:
    beginnings = letters._beginnings(GATEWAY / "templates")

    assert sorted(beginnings.values()) == sorted(list(letters._TEMPLATES.values()) * 2)
    assert all(beginnings)
    assert not [one for one in beginnings for other in beginnings if one != other and one.startswith(other)]


def test_a_mail_is_known_by_its_subject_and_a_copy_by_its_message_id() -> None:
    post = letters.taken(
        [
            ("a@load.example", "Thank you for your order", "<1@shop.example>"),
            ("a@load.example", "Thank you for your order", "<1@shop.example>"),
            ("b@load.example", "Willkommen im Tocsin-Shop, Ada", "<2@shop.example>"),
            ("b@load.example", "Something else", "<3@shop.example>"),
        ],
        GATEWAY / "templates",
    )

    assert post.second == 1
    assert post.mails == {
        Letter(template="order-confirmation", to="a@load.example"): 1,
        Letter(template="welcome", to="b@load.example"): 1,
        Letter(template="none of the shop's", to="b@load.example"): 1,
    }
