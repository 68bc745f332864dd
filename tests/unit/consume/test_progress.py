"""Scenario 3: whatever is received, done, taken away or crashed, no offset is lost and none is committed too early."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tocsin.consume.progress import Tracker

MAX_RECORDS, MAX_BYTES = 12, 300


def size_of(offset: int) -> int:
    return 7 + offset % 31


class Partition(RuleBasedStateMachine):
    """One partition of a log, its group's commit, and a brute-force model of who has worked on what."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[int] = []
        self.tail = 0
        self.commit = 0
        self.settled: set[int] = set()  # for good: survives a crash, like the ledger
        self.assign()

    def assign(self) -> None:
        """Begin an assignment at the group's commit."""
        self.tracker = Tracker(max_records=MAX_RECORDS, max_bytes=MAX_BYTES)
        self.position = self.commit
        self.received: list[int] = []
        self.done: set[int] = set()

    def expected_commit(self) -> int | None:
        """Return the next offset to read by looking at all that was received, None if nothing was."""
        if not self.received:
            return None
        holes = [offset for offset in self.received if offset not in self.done]
        return min(holes) if holes else max(self.received) + 1

    @property
    def unfinished(self) -> list[int]:
        return [offset for offset in self.received if offset not in self.done]

    @rule(gaps=st.lists(st.integers(0, 3), min_size=1, max_size=8))
    def produce(self, gaps: list[int]) -> None:
        for gap in gaps:
            self.log.append(self.tail + gap)
            self.tail += gap + 1

    @precondition(lambda self: self.tracker.has_room)
    @rule(count=st.integers(1, 6))
    def receive(self, count: int) -> None:
        for offset in [offset for offset in self.log if offset >= self.position][:count]:
            self.tracker.received(offset, size_of(offset))
            self.received.append(offset)
            self.position = offset + 1

    @precondition(lambda self: self.unfinished)
    @rule(data=st.data())
    def complete(self, data: st.DataObject) -> None:
        offset = data.draw(st.sampled_from(self.unfinished))
        self.settled.add(offset)
        self.done.add(offset)
        self.tracker.done(offset)

    @precondition(lambda self: self.done)
    @rule(data=st.data())
    def complete_again(self, data: st.DataObject) -> None:
        self.tracker.done(data.draw(st.sampled_from(sorted(self.done))))

    @precondition(lambda self: self.unfinished)
    @rule(data=st.data())
    def complete_but_fail_to_write(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.unfinished))  # nothing is told to the tracker: the hole stays

    @rule(stale=st.integers(0, 50))
    def hear_of_a_record_it_never_had(self, stale: int) -> None:
        if stale not in self.received:
            self.tracker.done(stale)

    @rule(goes_through=st.booleans())
    def commit_now(self, goes_through: bool) -> None:
        offset = self.tracker.to_commit()
        if offset is not None and goes_through:
            assert offset >= self.commit
            self.commit = offset
            self.tracker.committed(offset)
            assert self.tracker.to_commit() is None

    @rule()
    def revoke(self) -> None:
        self.commit_now(goes_through=True)
        old, self.stale = self.tracker, list(self.unfinished)
        self.assign()
        for offset in self.stale:
            old.done(offset)

    @rule()
    def crash(self) -> None:
        self.assign()

    @invariant()
    def what_is_to_be_committed_is_the_end_of_the_done_prefix(self) -> None:
        offset = self.tracker.to_commit()
        expected = self.expected_commit()
        if offset is None:
            assert expected in (None, self.commit)
        else:
            assert offset == expected

    @invariant()
    def no_offset_below_the_commit_is_unsettled(self) -> None:
        assert all(offset in self.settled for offset in self.log if offset < self.commit)

    @invariant()
    def bookkeeping_is_exact(self) -> None:
        assert self.tracker.unfinished == len(self.unfinished)
        assert self.tracker.bytes == sum(map(size_of, self.unfinished))

    @invariant()
    def the_window_is_open_while_there_is_less_in_it_than_it_may_hold(self) -> None:
        full = len(self.unfinished) >= MAX_RECORDS or self.tracker.bytes >= MAX_BYTES
        assert self.tracker.has_room is not full

    def teardown(self) -> None:
        """After a last crash, working off what the commit leaves settles every record."""
        self.crash()
        while any(offset >= self.position for offset in self.log):
            self.receive(count=6)
            for offset in self.unfinished:
                self.settled.add(offset)
                self.done.add(offset)
                self.tracker.done(offset)
        self.commit_now(goes_through=True)

        assert self.settled == set(self.log)
        assert self.commit == max(self.log, default=-1) + 1 or not self.log


TestPartition = Partition.TestCase
TestPartition.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)


def tracker() -> Tracker:
    return Tracker(max_records=3, max_bytes=100)


def test_nothing_is_committed_before_anything_was_received() -> None:
    assert tracker().to_commit() is None


def test_the_commit_stays_below_the_first_hole_whatever_finished_above() -> None:
    one = Tracker(max_records=1000, max_bytes=10**6)
    for offset in range(100):
        one.received(offset, 1)
    for offset in range(100):
        if offset != 7:
            one.done(offset)

    assert one.to_commit() == 7

    one.committed(7)
    assert one.to_commit() is None

    one.done(7)
    assert one.to_commit() == 100


def test_gaps_of_the_log_are_no_holes() -> None:
    one = tracker()
    for offset in (3, 10, 11):
        one.received(offset, 1)
    one.done(3)

    assert one.to_commit() == 10

    one.done(10)
    one.done(11)
    assert one.to_commit() == 12


def test_a_commit_that_failed_is_offered_again() -> None:
    one = tracker()
    one.received(0, 1)
    one.done(0)

    assert one.to_commit() == 1
    assert one.to_commit() == 1


def test_room_ends_with_records() -> None:
    one = Tracker(max_records=8, max_bytes=100)
    for offset in range(8):
        one.received(offset, 1)

    assert not one.has_room


def test_room_comes_back_with_the_first_that_is_done_whichever_it_is() -> None:
    one = Tracker(max_records=8, max_bytes=100)
    for offset in range(8):
        one.received(offset, 1)
    one.done(5)

    assert one.has_room


def test_room_ends_with_bytes_and_comes_back_with_them() -> None:
    one = Tracker(max_records=8, max_bytes=100)
    one.received(0, 100)

    assert not one.has_room

    one.done(0)
    assert one.has_room


def test_a_window_of_one_record_opens_again() -> None:
    one = Tracker(max_records=1, max_bytes=1)
    one.received(0, 1)
    one.done(0)

    assert one.has_room
