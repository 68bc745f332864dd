"""How the shares of providers shift with how well they do, and what is told of it."""

import asyncio
from collections import Counter
from datetime import timedelta
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from channels import service
from channels.changes import RouteChanges
from channels.route import Standing
from channels.routes import Call, Routes
from channels.shifts import Shifts
from tests.support.clock import ManualClock
from tests.support.scripted import ScriptedProvider
from tests.support.waiting import until
from tests.unit.channels.test_changes import Publisher
from tocsin import schemas
from tocsin.lifecycle import Event
from tocsin.observe.metrics import Metrics
from tocsin.outcome import Unconfirmed
from tocsin.receipts import JUDGED, Verdict
from tocsin.runtime.discover import setting_sections
from tocsin.runtime.wakeups import Wakeups
from tocsin.settings.load import load
from tocsin.validation import Schema

SECOND = timedelta(seconds=1)


class Channel:
    """The routes of some providers with weights, and what was told of their shares."""

    def __init__(self, **weights: float) -> None:
        self.clock = ManualClock()
        self.names = list(weights)
        self.told: list[tuple[str, str, float]] = []
        self.routes = Routes(
            [ScriptedProvider(self.clock, name=name, weight=weight) for name, weight in weights.items()],
            clock=self.clock,
            random=Random(7).random,
            on_change=lambda *_: None,
        )
        self.shifts = Shifts({"sms": self.routes}, clock=self.clock, on_shift=self._tell)

    def _tell(self, channel: str, provider: str, standing: Standing) -> None:
        self.told.append((channel, provider, standing.health))

    def hear(self, provider: str, *, arrived: int = 0, failed: int = 0) -> None:
        for each in [True] * arrived + [False] * failed:
            self.routes.heard(Verdict(channel="sms", provider=provider, arrived=each))

    def picked(self, *candidates: str, times: int = 1000) -> Counter[object]:
        return Counter(self.routes.pick(candidates or self.names) for _ in range(times))

    def pass_time(self, span: timedelta) -> None:
        for _ in range(span // SECOND):
            self.clock.advance(SECOND)
            self.shifts.look()


def test_weights_share_the_deliveries_out() -> None:
    picked = Channel(a=3, b=1).picked()

    assert 700 <= picked["a"] <= 800
    assert picked["a"] + picked["b"] == 1000


def test_without_a_weight_beside_others_it_takes_what_they_cannot() -> None:
    channel = Channel(first=0, a=3, b=1)

    assert set(channel.picked()) == {"a", "b"}
    assert set(channel.picked("first")) == {"first"}
    assert channel.routes.pick(["first", "a", "b"], avoid=["a", "b"]) == "first"


def test_receipts_of_failures_take_from_a_share_and_it_comes_back() -> None:
    channel = Channel(a=1, b=1)
    channel.hear("b", arrived=100)
    channel.hear("a", arrived=50, failed=50)
    assert channel.picked()["a"] < 250

    channel.pass_time(timedelta(minutes=30))
    assert 450 <= channel.picked()["a"] <= 550


def test_a_share_is_never_nothing() -> None:
    channel = Channel(a=1, b=1)
    channel.hear("a", failed=10_000)

    assert 20 <= channel.picked()["a"] <= 80


def test_receipts_of_a_provider_that_is_not_here_say_nothing() -> None:
    channel = Channel(a=1, b=1)
    channel.hear("c", failed=100)
    channel.pass_time(SECOND)

    assert channel.told == []


def test_shifts_are_told_by_steps_and_so_is_the_end_of_them() -> None:
    channel = Channel(a=1, b=1)
    channel.hear("a", failed=10_000)
    channel.hear("b", arrived=10_000)
    channel.pass_time(timedelta(hours=1))
    healths = [health for _, _, health in channel.told]

    assert {provider for _, provider, _ in channel.told} == {"a"}
    assert healths == sorted(healths)
    assert (healths[0], healths[-1]) == (0.05, 1.0)
    assert 4 <= len(healths) <= 6


async def test_calls_that_fail_shift_the_shares_too() -> None:
    channel = Channel(a=1, b=1)
    for _ in range(3):
        call = await channel.routes.begin(["a"])
        assert isinstance(call, Call)
        channel.routes.ended(call, Unconfirmed(phase="answer"), claimed=True)
    channel.pass_time(timedelta(minutes=2))

    assert {provider for _, provider, _ in channel.told} == {"a"}
    assert channel.told[0][2] < 0.6
    assert channel.told[-1] == ("sms", "a", 1.0)


@pytest.mark.parametrize(
    ("bootstrap", "loops"), [((), ["channels.shifts"]), (("kafka:9092",), ["channels.shifts", "channels.receipts"])]
)
def test_receipts_are_heard_in_the_process_or_on_kafka_out_of_the_log(
    bootstrap: tuple[str, ...], loops: list[str]
) -> None:
    channel, alone, wakeups = Channel(a=1, b=1), Channel(a=1, b=0), Wakeups()
    overrides = {"kafka": {"bootstrap_servers": bootstrap}}
    settings = load(setting_sections(), path=None, environ={}, overrides=overrides)
    context: Any = SimpleNamespace(clock=channel.clock, log=None, settings=settings, wakeups=wakeups)
    changes = RouteChanges(publisher=Publisher(), clock=channel.clock, metrics=Metrics(version="test"))
    assert [each.name for each in service._sharing(context, {"sms": channel.routes}, changes)] == loops
    assert list(service._sharing(context, {}, changes)) == []

    wakeups.tell(JUDGED, Verdict(channel="sms", provider="a", arrived=False))
    wakeups.tell(JUDGED, Verdict(channel="email", provider="a", arrived=False))
    assert (channel.routes.standings["a"].health < 1) is (not bootstrap)
    assert (channel.routes.shared, alone.routes.shared) == (True, False)


async def test_the_audit_is_told_with_valid_data() -> None:
    channel, publisher = Channel(a=1, b=1), Publisher()
    changes = RouteChanges(publisher=publisher, clock=channel.clock, metrics=Metrics(version="test"))
    shifts = Shifts({"sms": channel.routes}, clock=channel.clock, on_shift=changes.shifted)
    running = asyncio.create_task(shifts.run())
    await until(lambda: channel.clock.next_due() is not None, what="the first look")
    channel.hear("a", failed=10)
    channel.clock.advance(SECOND)
    await until(lambda: changes.untold, what="the shift")
    shifts.stop()
    await running
    changes.stop()
    await changes.run()
    [event] = publisher.events

    assert event.type is Event.ROUTE_SHIFTED
    assert event.data["why"] == "its receipts tell of failures"
    assert 0 < event.data["health"] < 0.5
    assert not list(Schema(schemas.document("audit-event")["$defs"][event.type]).faults(event.data))
