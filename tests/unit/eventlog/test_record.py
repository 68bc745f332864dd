"""What a received record takes in memory."""

from datetime import UTC, datetime

from tocsin.eventlog.embedded import tables
from tocsin.record import Headers, Partition, Received


def received(headers: Headers, value: bytes = b"") -> Received:
    return Received(
        place=Partition("t", 0),
        offset=0,
        key=None,
        value=value,
        headers=headers,
        timestamp=datetime(2030, 1, 1, tzinfo=UTC),
    )


def test_a_record_weighs_its_value_and_each_of_its_headers() -> None:
    bare = received(()).size

    assert bare > 0
    assert received((), value=b"x" * 1000).size == bare + 1000
    one = received((("a", b"1"),)).size - bare
    assert one > 0
    assert received(tuple((f"h{number}", b"1") for number in range(19))).size == bare + 19 * one


def test_what_is_read_from_disk_has_each_header_s_name_once_and_its_value_as_it_was() -> None:
    rows = [(number, 0, None, tables.pack((("tocsin-attempt", b"%d" % number),)), b"") for number in (1, 2)]
    first, second = (tables.received(Partition("t", 0), row).headers for row in rows)

    assert (first, second) == ((("tocsin-attempt", b"1"),), (("tocsin-attempt", b"2"),))
    assert first[0][0] is second[0][0]
