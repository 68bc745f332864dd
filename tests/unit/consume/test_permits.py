"""Who may start: reserves, shares and ceilings of one channel's lanes."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.consume.permits import Permits, Stream
from tocsin.delivery import Lane

HIGH, NORMAL, BULK = (Stream(lane=lane, retrying=False) for lane in Lane)
HIGH_RETRY, NORMAL_RETRY, BULK_RETRY = (Stream(lane=lane, retrying=True) for lane in Lane)
STREAMS = (HIGH, NORMAL, BULK, HIGH_RETRY, NORMAL_RETRY, BULK_RETRY)
RETRIES = (HIGH_RETRY, NORMAL_RETRY, BULK_RETRY)


@dataclass(eq=False)
class Traffic:
    """Traffic as a worker is: it starts what is pending whenever it is called."""

    permits: Permits
    stream: Stream
    pending: int = 0
    held: int = 0
    started: list[Stream] = field(default_factory=list)

    def start(self) -> None:
        while self.pending and self.permits.take(self.stream):
            self.pending -= 1
            self.held += 1
            self.started.append(self.stream)

    def arrive(self, count: int) -> None:
        self.pending += count
        self.start()

    def finish(self) -> None:
        self.held -= 1
        self.permits.give(self.stream)


class Channel:
    """All the traffic of a channel."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.permits = Permits(total)
        self.started: list[Stream] = []
        self.traffic = {stream: Traffic(self.permits, stream, started=self.started) for stream in STREAMS}
        for each in self.traffic.values():
            self.permits.register(each, each.start)

    def arrive(self, stream: Stream, count: int) -> int:
        """Let records come; return how many of the stream are under way."""
        self.traffic[stream].arrive(count)
        return self.held(stream)

    def held(self, *streams: Stream) -> int:
        return sum(self.traffic[stream].held for stream in streams or STREAMS)

    def pending(self, *streams: Stream) -> int:
        return sum(self.traffic[stream].pending for stream in streams or STREAMS)


def test_a_stream_alone_has_all_but_the_reserve_of_high() -> None:
    for stream in (NORMAL, BULK, NORMAL_RETRY, BULK_RETRY):
        assert Channel(256).arrive(stream, 1000) == 256 - 32
    assert Channel(256).arrive(HIGH, 1000) == 256


def test_high_has_its_reserve_however_full_the_rest_is() -> None:
    channel = Channel(256)
    channel.arrive(NORMAL, 1000)

    assert channel.arrive(HIGH, 32) == 32


@pytest.mark.parametrize("total", [3, 8, 16, 256])
def test_high_has_its_reserve_though_others_wait_for_their_minimum_share(total: int) -> None:
    """What is owed to the starved comes from what is shared, not from the reserve, which they may never take."""
    channel = Channel(total)
    channel.arrive(NORMAL, 1000)
    for stream in (BULK, *RETRIES):
        channel.arrive(stream, 1000)
    reserve = total - channel.held()

    assert reserve >= 1
    assert channel.arrive(HIGH, 1000) >= reserve


def test_high_is_served_by_the_first_permit_that_comes_back_when_nothing_is_owed() -> None:
    channel = Channel(8)
    channel.arrive(NORMAL, 100)
    channel.arrive(HIGH, 100)
    before = channel.held(HIGH)
    channel.traffic[NORMAL].finish()

    assert channel.held(HIGH) == before + 1


@pytest.mark.parametrize("total", [1, 2, 4])
def test_high_is_not_starved_by_the_minimum_shares_of_others(total: int) -> None:
    channel = Channel(total)
    for stream in (BULK, *RETRIES, NORMAL, HIGH):
        channel.arrive(stream, 1000)
    for _ in range(10 * total):
        stream = next(stream for stream in (*RETRIES, BULK, NORMAL, HIGH) if channel.held(stream))
        channel.traffic[stream].finish()

    assert HIGH in channel.started


def test_retries_have_at_most_three_tenths_while_fresh_traffic_waits() -> None:
    channel = Channel(100)
    channel.arrive(NORMAL, 1000)
    for stream in RETRIES:
        channel.arrive(stream, 1000)
    for _ in range(500):
        channel.traffic[NORMAL].finish()

        assert channel.held(*RETRIES) <= 30
    assert channel.held(*RETRIES) == 30


def test_retries_have_all_that_is_shared_while_nothing_fresh_waits() -> None:
    assert Channel(100).arrive(NORMAL_RETRY, 1000) == 100 - 12


def test_fresh_traffic_takes_back_what_retries_hold_beyond_their_ceiling() -> None:
    channel = Channel(100)
    channel.arrive(NORMAL_RETRY, 1000)
    channel.arrive(NORMAL, 1000)
    for _ in range(58):
        channel.traffic[NORMAL_RETRY].finish()

    assert (channel.held(NORMAL), channel.held(NORMAL_RETRY)) == (58, 30)


@pytest.mark.parametrize("stream", [BULK, NORMAL_RETRY, BULK_RETRY])
def test_bulk_and_retries_get_their_minimum_share_while_normal_has_no_end(stream: Stream) -> None:
    channel = Channel(100)
    channel.arrive(NORMAL, 10_000)
    channel.arrive(stream, 1000)
    for _ in range(300):
        channel.traffic[NORMAL].finish()

    assert channel.held(stream) == 10


def test_a_minimum_share_that_nobody_asks_for_is_not_kept_free() -> None:
    channel = Channel(100)
    channel.arrive(BULK, 3)

    assert channel.arrive(NORMAL, 1000) == 100 - 12 - 3


def test_normal_goes_before_bulk_above_the_minimum_share() -> None:
    channel = Channel(100)
    channel.arrive(NORMAL, 1000)
    channel.arrive(BULK, 1000)
    for _ in range(200):
        channel.traffic[NORMAL].finish()

    assert (channel.held(BULK), channel.held(NORMAL)) == (10, 78)


def test_traffic_that_left_is_called_no_more_and_owed_nothing() -> None:
    channel = Channel(10)
    channel.arrive(NORMAL, 100)
    channel.arrive(BULK, 100)
    channel.permits.unregister(channel.traffic[BULK])
    channel.traffic[NORMAL].finish()

    assert channel.held(BULK) == 0
    assert channel.held(NORMAL) == 9


steps = st.lists(
    st.one_of(
        st.tuples(st.just("arrive"), st.sampled_from(STREAMS), st.integers(1, 30)),
        st.tuples(st.just("finish"), st.sampled_from(STREAMS), st.integers(1, 10)),
    ),
    max_size=80,
)


def run(channel: Channel, plan: Sequence[tuple[str, Stream, int]]) -> None:
    """Let the plan happen, checking after each step what holds always."""
    for action, stream, count in plan:
        if action == "arrive":
            channel.arrive(stream, count)
        else:
            for _ in range(min(count, channel.held(stream))):
                channel.traffic[stream].finish()

        assert channel.held() == channel.permits.in_flight <= channel.total
        others = channel.held() - channel.held(HIGH)
        reserve = max(1, channel.total // 8) if channel.total > 1 else 0
        assert others <= channel.total - reserve


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 60), steps)
def test_never_more_than_all_and_the_reserve_is_kept(total: int, plan: list[tuple[str, Stream, int]]) -> None:
    run(Channel(total), plan)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 60), steps)
def test_all_that_waits_is_served_in_the_end(total: int, plan: list[tuple[str, Stream, int]]) -> None:
    channel = Channel(total)
    run(channel, plan)
    while channel.pending():
        assert channel.held(), "records wait, nothing runs, and nobody will call"
        stream = next(stream for stream in STREAMS if channel.held(stream))
        channel.traffic[stream].finish()

    assert channel.pending() == 0


@settings(max_examples=300, deadline=None)
@given(st.integers(2, 60), steps)
def test_no_permit_that_somebody_may_have_stays_idle(total: int, plan: list[tuple[str, Stream, int]]) -> None:
    """Free permits beyond the reserve of high, and work that no ceiling bars: then some of it must be allowed."""
    channel = Channel(total)
    run(channel, plan)
    for each in channel.traffic.values():
        each.start()
    reserve = max(1, total // 8)
    kept = max(0, reserve - channel.held(HIGH))
    fresh = channel.pending(HIGH, NORMAL, BULK)

    if channel.pending(HIGH):
        assert channel.held() == total
    elif fresh:
        assert channel.held() >= total - kept
