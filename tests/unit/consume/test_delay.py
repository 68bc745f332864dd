"""The gate: in order of time, never early, and nothing for those who lost their partition."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tests.support.clock import ManualClock
from tocsin.consume.delay import Gate
from tocsin.record import Partition, Received

START = datetime(2030, 1, 1, tzinfo=UTC)


def received(offset: int, *, partition: int = 0) -> Received:
    return Received(place=Partition("t", partition), offset=offset, key=None, value=b"", headers=(), timestamp=START)


class Door:
    """A gate, its clock, and what came through and when."""

    def __init__(self) -> None:
        self.clock = ManualClock(START)
        self.opened: list[tuple[int, datetime, datetime]] = []
        self.gate = Gate(clock=self.clock, open_=self._open)

    @property
    def offsets(self) -> list[int]:
        return [offset for offset, _, _ in self.opened]

    def wait(self, offset: int, seconds: float, *, partition: int = 0) -> None:
        self.gate.wait(received(offset, partition=partition), START + timedelta(seconds=seconds))

    def advance(self, seconds: float) -> None:
        self.clock.advance(timedelta(seconds=seconds))

    def _open(self, record: Received, due: datetime) -> None:
        self.opened.append((record.offset, due, self.clock.now()))


def test_a_record_comes_through_when_it_is_due_and_not_before() -> None:
    door = Door()
    door.wait(1, 5)
    door.advance(4.999)

    assert door.offsets == []
    assert len(door.gate) == 1

    door.advance(0.001)
    assert door.opened == [(1, START + timedelta(seconds=5), START + timedelta(seconds=5))]
    assert len(door.gate) == 0


def test_the_earliest_comes_first_and_equals_in_the_order_of_their_coming() -> None:
    door = Door()
    for offset, seconds in ((1, 3), (2, 1), (3, 2), (4, 1), (5, 1)):
        door.wait(offset, seconds)
    door.advance(10)

    assert door.offsets == [2, 4, 5, 3, 1]


def test_an_earlier_one_that_comes_later_does_not_wait_for_the_timer_of_the_first() -> None:
    door = Door()
    door.wait(1, 3600)
    door.wait(2, 1)
    door.advance(1)

    assert door.offsets == [2]

    door.advance(3599)
    assert door.offsets == [2, 1]


def test_what_belongs_to_a_partition_that_left_never_comes_through() -> None:
    door = Door()
    door.wait(1, 1, partition=1)
    door.wait(2, 2, partition=2)
    door.wait(3, 3, partition=1)
    door.gate.forget({Partition("t", 1)})

    assert len(door.gate) == 1

    door.advance(10)
    assert door.offsets == [2]


def test_forgetting_everything_leaves_no_timer_behind() -> None:
    door = Door()
    door.wait(1, 1)
    door.gate.forget({Partition("t", 0), Partition("t", 7)})

    assert door.clock.next_due() is None


def test_the_gate_goes_on_after_it_was_emptied() -> None:
    door = Door()
    door.wait(1, 1)
    door.gate.forget({Partition("t", 0)})
    door.wait(2, 1)
    door.advance(1)
    door.wait(3, 2)
    door.advance(1)

    assert door.offsets == [2, 3]


def test_one_timer_serves_all() -> None:
    calls: list[datetime] = []

    class Counting(ManualClock):
        def call_at(self, when, callback):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - counts, passes on
            calls.append(when)
            return super().call_at(when, callback)

    gate = Gate(clock=Counting(START), open_=lambda _record, _due: None)
    for offset in range(1000):
        gate.wait(received(offset), START + timedelta(seconds=10 + offset))

    assert len(calls) == 1


async def test_one_that_is_due_already_comes_through_with_the_next_turn_of_the_loop() -> None:
    door = Door()
    door.wait(1, -1)
    door.advance(0)

    assert door.offsets == [1]


def test_letting_one_through_may_let_others_wait() -> None:
    clock = ManualClock(START)
    seen: list[int] = []

    def open_(record: Received, _due: datetime) -> None:
        seen.append(record.offset)
        if record.offset < 3:
            gate.wait(received(record.offset + 1), clock.now() + timedelta(seconds=1))

    gate = Gate(clock=clock, open_=open_)
    gate.wait(received(1), START + timedelta(seconds=1))
    clock.advance(timedelta(seconds=3))

    assert seen == [1, 2, 3]


steps = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.integers(0, 3), st.integers(1, 50)),
        st.tuples(st.just("forget"), st.integers(0, 3), st.just(0)),
        st.tuples(st.just("advance"), st.just(0), st.integers(1, 20)),
    ),
    max_size=60,
)


@given(steps)
def test_in_any_order_of_events_each_comes_once_and_exactly_when_it_is_due(plan: list[tuple[str, int, int]]) -> None:
    door = Door()
    waiting: dict[int, tuple[int, datetime]] = {}
    expected: set[int] = set()
    for number, (action, partition, seconds) in enumerate(plan):
        if action == "wait":
            due = door.clock.now() + timedelta(seconds=seconds)
            door.gate.wait(received(number, partition=partition), due)
            waiting[number] = (partition, due)
        elif action == "forget":
            door.gate.forget({Partition("t", partition)})
            waiting = {n: entry for n, entry in waiting.items() if entry[0] != partition}
        else:
            door.advance(seconds)
            passed = {n for n, (_, due) in waiting.items() if due <= door.clock.now()}
            expected |= passed
            waiting = {n: entry for n, entry in waiting.items() if n not in passed}

        assert set(door.offsets) == expected
        assert len(door.gate) == len(waiting)

    assert len(door.offsets) == len(expected)
    assert all(due == at for _, due, at in door.opened)
