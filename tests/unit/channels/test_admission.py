"""Who is let in where a route has room for few."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from channels.admission import Admission
from channels.routes import Call, Routes
from tests.support.clock import ManualClock
from tests.support.scripted import ScriptedProvider
from tocsin.consume.permits import Stream
from tocsin.delivery import Lane
from tocsin.outcome import Delivered

HIGH, NORMAL, BULK = (Stream(lane=lane, retrying=False) for lane in Lane)
STREAMS = [Stream(lane=lane, retrying=retrying) for lane in Lane for retrying in (False, True)]


@dataclass(eq=False)
class Traffic:
    """Traffic as a worker is."""

    channel: "Channel"
    stream: Stream
    pending: int = 0

    def start(self) -> None:
        while self.pending and self.channel.permits.take(self.stream):
            self.pending -= 1
            self.channel.held.append(self.stream)
            self.channel.started.append(self.stream)


@dataclass(eq=False)
class Channel:
    """A channel of 256 permits and one route, whose oldest delivery ends first."""

    routes: Routes
    held: list[Stream] = field(default_factory=list)
    started: list[Stream] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.permits = Admission(256, self.routes)
        self.traffic = {stream: Traffic(self, stream) for stream in STREAMS}
        for each in self.traffic.values():
            self.permits.register(each, each.start)

    def arrive(self, stream: Stream, count: int) -> None:
        self.traffic[stream].pending += count
        self.traffic[stream].start()

    def finish(self, times: int) -> list[Stream]:
        """End the oldest deliveries; return what was started then."""
        self.started.clear()
        for _ in range(times):
            self.permits.give(self.held.pop(0))
        return self.started


async def make(kind: str) -> Channel:
    clock = ManualClock()
    slow = ScriptedProvider(clock, name="a", messages_per_second=1.0)
    busy = ScriptedProvider(clock, name="a", max_in_flight=32)
    provider = slow if kind == "one a second" else busy
    routes = Routes([provider], clock=clock, random=lambda: 0.5, on_change=lambda *_: None)
    if kind != "one a second":
        for _ in range(60):
            call = await routes.begin(["a"])
            assert isinstance(call, Call)
            clock.advance(timedelta(seconds=1))
            routes.ended(call, Delivered(), claimed=True)
    return Channel(routes)


@pytest.mark.parametrize("kind", ["one a second", "32 in flight"])
async def test_high_that_waits_starts_first_however_little_room_there_is(kind: str) -> None:
    channel = await make(kind)
    for stream in STREAMS:
        if stream != HIGH:
            channel.arrive(stream, 10_000)
    channel.finish(100)
    full = len(channel.held)
    channel.arrive(HIGH, 1)
    assert len(channel.held) == full + 1, "no permit was left for what people wait for"

    channel.arrive(HIGH, 50)
    started = Counter(channel.finish(2 * full + 100))
    assert channel.traffic[HIGH].pending == 0
    assert started[HIGH] >= 30


@pytest.mark.parametrize("kind", ["one a second", "32 in flight"])
async def test_nobody_starves_while_high_and_normal_have_no_end(kind: str) -> None:
    channel = await make(kind)
    for stream in (HIGH, NORMAL, *STREAMS):
        channel.arrive(stream, 10_000)
    started = Counter(channel.finish(2000))

    assert started[HIGH] >= 1000
    assert all(started[stream] >= 50 for stream in STREAMS if stream.retrying or stream == BULK)


async def test_bulk_does_not_take_the_room_for_which_high_waits() -> None:
    channel = await make("32 in flight")
    channel.arrive(BULK, 1)
    channel.traffic[HIGH].pending = 500
    channel.arrive(NORMAL, 500)

    assert channel.held.count(NORMAL) == 0
