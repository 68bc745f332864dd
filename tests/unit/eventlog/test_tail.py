"""The records kept in memory: the newest, without gaps, within their bytes."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from tocsin.eventlog.embedded.tail import Tail
from tocsin.record import Partition, Received

NOW = datetime(2030, 1, 1, tzinfo=UTC)
LIMIT = 8 * 3200
PARTITIONS = [Partition("t", number) for number in range(3)]


def received(partition: Partition, offset: int, size: int = 10) -> Received:
    return Received(
        place=partition,
        offset=offset,
        key=None,
        value=b"x" * size,
        headers=(),
        timestamp=NOW,
    )


def test_what_is_kept_is_read_from_any_offset_on() -> None:
    tail = Tail(1_000_000)
    tail.add(PARTITIONS[0], [received(PARTITIONS[0], offset) for offset in range(5, 9)])
    tail.add(PARTITIONS[0], [received(PARTITIONS[0], offset) for offset in range(9, 15)])

    assert [each.offset for each in tail.read(PARTITIONS[0], 7, 3)] == [7, 8, 9]
    assert [each.offset for each in tail.read(PARTITIONS[0], 14, 3)] == [14]
    assert tail.read(PARTITIONS[0], 15, 3) == []
    assert tail.read(PARTITIONS[0], 4, 3) == []
    assert tail.read(PARTITIONS[1], 0, 3) == []


steps = st.lists(
    st.tuples(st.sampled_from(["add", "forget"]), st.sampled_from(PARTITIONS), st.integers(1, 60)), max_size=200
)


@given(steps)
def test_the_newest_are_kept_without_gaps_and_within_the_bytes(plan: list[tuple[str, Partition, int]]) -> None:
    tail = Tail(LIMIT)
    ends = dict.fromkeys(PARTITIONS, 0)
    starts = dict.fromkeys(PARTITIONS, 0)
    for step, partition, number in plan:
        if step == "add":
            end = ends[partition] + 1 + number % 3
            tail.add(partition, [received(partition, each, size=number) for each in range(ends[partition], end)])
            ends[partition] = end
        else:
            starts[partition] = min(ends[partition], starts[partition] + number)
            tail.forget(partition, starts[partition])
        kept = {p: [each for start in range(ends[p]) for each in tail.read(p, start, 1)] for p in PARTITIONS}

        assert sum(each.size for found in kept.values() for each in found) == tail._bytes <= LIMIT
        for p, found in kept.items():
            offsets = [each.offset for each in found]
            assert offsets == list(range(ends[p] - len(offsets), ends[p]))
            assert all(offset >= starts[p] for offset in offsets)
