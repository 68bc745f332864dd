"""Routes that are held for a while: as a whole, for one domain, for a host that fails."""

import asyncio
from datetime import timedelta

import pytest

from channels.admission import Admission
from channels.provider import Capabilities
from channels.route import RouteState
from channels.routes import Call, Closed, Routes
from tests.support.clock import ManualClock
from tests.support.scripted import ScriptedProvider
from tocsin.consume.permits import Stream
from tocsin.delivery import Lane
from tocsin.outcome import Deferred, Delivered, Outcome, Throttled, Unconfirmed

NORMAL = Stream(lane=Lane.NORMAL, retrying=False)
OK = Delivered()
SHORT = timedelta(seconds=1.5)


class Channel:
    """A single route."""

    def __init__(self, *, many_hosts: bool = False) -> None:
        self.clock = ManualClock()
        provider = ScriptedProvider(self.clock, name="a")
        provider.capabilities = Capabilities(max_in_flight=32, many_hosts=many_hosts)
        self.routes = Routes([provider], clock=self.clock, random=lambda: 0.5, on_change=lambda *_: None)

    async def begin(self, domain: str = "") -> Call | Closed:
        return await asyncio.wait_for(self.routes.begin(["a"], domain=domain), timeout=5)

    async def call(self, outcome: Outcome, domain: str = "") -> bool:
        """Make a call if one can begin; return whether."""
        call = await self.begin(domain)
        if isinstance(call, Closed):
            return False
        self.routes.ended(call, outcome, claimed=outcome is OK)
        return True

    def state(self) -> RouteState:
        return self.routes.conditions["a"].state

    def advance(self, seconds: float) -> None:
        self.clock.advance(timedelta(seconds=seconds))


@pytest.mark.parametrize("scope", ["account", "domain"])
async def test_a_short_hold_is_waited_for_in_place_and_the_loop_goes_on(scope: str) -> None:
    channel = Channel()
    held = Throttled(scope="domain" if scope == "domain" else "account", retry_after=SHORT)
    await channel.call(held, "slow.test")
    waiting = asyncio.create_task(channel.begin("slow.test"))
    for _ in range(10):
        await asyncio.sleep(0)
    channel.advance(1.4)
    for _ in range(10):
        await asyncio.sleep(0)
    assert not waiting.done()

    channel.advance(0.1)
    assert isinstance(await waiting, Call)


async def test_a_hold_that_has_become_long_while_it_was_waited_for_is_not() -> None:
    channel = Channel()
    other = await channel.begin()
    await channel.call(Throttled(scope="account", retry_after=SHORT))
    waiting = asyncio.create_task(channel.begin())
    await asyncio.sleep(0)
    assert isinstance(other, Call)
    channel.routes.ended(other, Throttled(scope="account", retry_after=timedelta(seconds=60)), claimed=True)
    channel.advance(1.5)

    found = await waiting
    assert isinstance(found, Closed)
    assert found.wait_seconds == 58.5


async def test_an_absurd_hold_is_probed_and_ends_when_it_is_not_meant() -> None:
    channel = Channel()
    permits = Admission(100, channel.routes)
    absurd = Throttled(scope="account", retry_after=timedelta(days=30))
    await channel.call(absurd)
    assert channel.state() is RouteState.CLOSED
    for _ in range(3):
        found = await channel.begin()
        assert isinstance(found, Closed)
        assert found.wait_seconds == 300
        channel.advance(299)
        assert not channel.routes.may_take()
        channel.advance(1)
        assert [permits.take(NORMAL), permits.take(NORMAL)] == [True, False]
        probe = await channel.begin()
        assert isinstance(probe, Call)
        assert channel.state() is RouteState.PROBING
        channel.routes.ended(probe, absurd, claimed=False)
        assert channel.state() is RouteState.PROBING
        permits.give(NORMAL)

    channel.advance(300)
    assert await channel.call(OK)
    assert channel.state() is RouteState.OPEN
    assert await channel.call(OK)


async def test_a_new_hold_has_not_been_probed() -> None:
    channel = Channel()
    held = Throttled(scope="account", retry_after=timedelta(minutes=10))
    await channel.call(held)
    channel.advance(300)
    assert await channel.call(held)
    assert channel.state() is RouteState.PROBING
    channel.advance(600)
    assert await channel.call(OK)
    assert channel.state() is RouteState.OPEN

    await channel.call(held)
    assert channel.state() is RouteState.CLOSED


async def test_what_may_have_been_taken_already_is_no_probe_while_others_are() -> None:
    channel = Channel()
    for _ in range(20):
        await channel.call(Unconfirmed(phase="answer"))
    channel.advance(5)
    doubtful = await channel.routes.begin(["a"], spared=True)
    channel.advance(1)
    assert await channel.call(Unconfirmed(phase="answer"))
    channel.advance(59)
    still = await channel.routes.begin(["a"], spared=True)
    channel.advance(1)
    after_a_minute = await channel.routes.begin(["a"], spared=True)

    assert isinstance(doubtful, Closed)
    assert isinstance(still, Closed)
    assert isinstance(after_a_minute, Call)


@pytest.mark.parametrize(
    "failure", [Deferred(cause="dns"), Deferred(cause="connect_timeout"), Unconfirmed(phase="answer")]
)
async def test_a_host_that_fails_is_left_alone_and_the_others_are_not(failure: Outcome) -> None:
    channel = Channel(many_hosts=True)
    room = channel.routes._all[0].room
    await channel.call(OK, "good.test")
    failed = 0
    for _ in range(120):
        failed += await channel.call(failure, "bad.test")
        assert await channel.call(OK, "good.test")
        channel.advance(5)

    # After 5, 10 and 20 s, and then every 30 s.
    assert failed == 22
    assert channel.state() is RouteState.OPEN
    assert (channel.routes._all[0].turns.limit, channel.routes._all[0].room) == (32, room)


async def test_a_host_that_alone_is_called_and_fails_does_not_close_the_route() -> None:
    channel = Channel(many_hosts=True)
    calls = [await channel.begin("bad.test") for _ in range(30)]
    for call in calls:
        assert isinstance(call, Call)
        channel.routes.ended(call, Deferred(cause="dns"), claimed=False)

    assert channel.state() is RouteState.OPEN
    assert isinstance(await channel.begin("bad.test"), Closed)
    assert isinstance(await channel.begin("good.test"), Call)


async def test_where_no_host_works_the_route_is_closed() -> None:
    channel = Channel(many_hosts=True)
    for number in range(30):
        await channel.call(Deferred(cause="dns"), f"{number}.test")

    assert channel.state() is RouteState.CLOSED
