"""Which provider a delivery goes through, and when none takes it."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from channels import service
from channels.admission import Admission
from channels.route import Condition, RouteState
from channels.routes import Call, Closed, Routes, domain_of
from channels.tally import Tally
from tests.support.clock import ManualClock
from tests.support.scripted import ScriptedProvider
from tocsin.consume.permits import Stream
from tocsin.delivery import Lane
from tocsin.observe.metrics import Metrics
from tocsin.outcome import Deferred, Delivered, Misconfigured, Outcome
from tocsin.web.health import Check

NORMAL = Stream(lane=Lane.NORMAL, retrying=False)
DOWN, OK, WRONG = Deferred(cause="connection_refused"), Delivered(), Misconfigured(detail="key")


class Channel:
    """The routes of some providers, and what was told of them."""

    def __init__(self, *names: str, max_in_flight: int = 1000) -> None:
        self.clock = ManualClock()
        self.told: list[tuple[str, RouteState]] = []
        self.names = names or ("a",)
        self.routes = Routes(
            [ScriptedProvider(self.clock, name=name, max_in_flight=max_in_flight) for name in self.names],
            clock=self.clock,
            random=lambda: 0.5,
            on_change=self._tell,
        )

    def _tell(self, name: str, condition: Condition) -> None:
        self.told.append((name, condition.state))

    async def call(self, outcome: Outcome, *, through: Sequence[str] = (), times: int = 1) -> None:
        for _ in range(times):
            call = await self.routes.begin(through or self.names)
            assert isinstance(call, Call)
            self.routes.ended(call, outcome, claimed=outcome is OK)


async def test_without_weights_the_first_is_taken_until_it_is_closed() -> None:
    channel = Channel("a", "b")
    assert channel.routes.pick(["a", "b"]) == "a"

    await channel.call(WRONG)
    assert channel.routes.pick(["a", "b"]) == "b"
    assert channel.routes.pick(["a", "b"], avoid=["a"]) == "b"
    assert isinstance(channel.routes.pick(["a"]), Closed)
    assert channel.routes.may_take()


async def test_while_all_are_closed_one_record_is_let_through_when_a_probe_is_due() -> None:
    channel = Channel("a")
    permits = Admission(100, channel.routes)
    await channel.call(DOWN, times=20)
    assert not channel.routes.may_take()
    assert not permits.take(NORMAL)

    channel.clock.advance(timedelta(seconds=5))
    assert channel.routes.may_take()
    assert [permits.take(NORMAL) for _ in range(3)] == [True, False, False]
    assert not channel.routes.may_take()

    await channel.call(OK)
    permits.give(NORMAL)
    assert [permits.take(NORMAL) for _ in range(3)] == [True, True, True]
    assert channel.told == [("a", RouteState.CLOSED), ("a", RouteState.PROBING), ("a", RouteState.OPEN)]


async def test_a_record_that_needed_no_route_makes_room_for_one_that_does() -> None:
    channel = Channel("a")
    permits = Admission(100, channel.routes)
    await channel.call(DOWN, times=20)
    channel.clock.advance(timedelta(seconds=5))
    assert permits.take(NORMAL)
    permits.give(NORMAL)

    assert permits.take(NORMAL)


async def test_those_in_line_are_sent_away_when_the_route_closes() -> None:
    channel = Channel("a", max_in_flight=1)
    call = await channel.routes.begin(["a"])
    assert isinstance(call, Call)
    waiting = asyncio.create_task(channel.routes.begin(["a"]))
    await asyncio.sleep(0)
    channel.routes.ended(call, WRONG, claimed=False)

    assert isinstance(await waiting, Closed)


async def test_who_waited_in_vain_is_told_to_come_back() -> None:
    channel = Channel("a", max_in_flight=1)
    await channel.routes.begin(["a"])
    waiting = asyncio.create_task(channel.routes.begin(["a"]))
    await asyncio.sleep(0)
    channel.clock.advance(timedelta(seconds=10))
    channel.routes.may_take()
    found = await waiting

    assert isinstance(found, Closed)
    assert found.wait_seconds > 0


async def test_a_cancelled_call_gives_its_place_back() -> None:
    channel = Channel("a", max_in_flight=1)
    call = await channel.routes.begin(["a"])
    assert isinstance(call, Call)
    channel.routes.ended(call, None, claimed=True)

    assert isinstance(await channel.routes.begin(["a"]), Call)


@pytest.mark.parametrize(
    ("address", "domain"),
    [
        ("ada@example.test", "example.test"),
        ("https://push.example.test/abc?x#y", "push.example.test"),
        ("+4917012345", "+4917012345"),
        ("fcm:token", "fcm:token"),
    ],
)
def test_the_domain_of_an_address(address: str, domain: str) -> None:
    assert domain_of(address) == domain


async def test_wrong_settings_of_every_route_make_a_channel_unready_and_a_dead_provider_does_not() -> None:
    channel, tally = Channel("a", "b"), Tally("email", metrics=Metrics(version="test"))
    check = service._check(tally, channel.routes)
    assert check() == Check(ok=True)

    await channel.call(DOWN, through=["a"], times=20)
    await channel.call(WRONG, through=["b"])
    assert check() == Check(ok=True, detail="a is closed: its calls fail: connection_refused; b is closed: key")

    channel.clock.advance(timedelta(seconds=30))
    await channel.call(WRONG, through=["a"])
    assert not check().ok
