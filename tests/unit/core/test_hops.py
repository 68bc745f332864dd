"""Hop headers: a round trip for what is right, one exception for everything that is wrong."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tocsin import hops
from tocsin.hops import Attempted, BrokenHop, Failure, Hop
from tocsin.record import Headers, Source, header, replaced

NOW = datetime(2030, 1, 1, tzinfo=UTC)
REQUIRED = (hops.LIFE, hops.ATTEMPT, hops.FIRST_AT, hops.EXPIRES_AT, hops.HOPS)
NUMBERS = (*REQUIRED, hops.NOT_BEFORE, hops.UNCONFIRMED, hops.FAULTS)
TEXTS = (hops.ERROR_CLASS, hops.ERROR_CODE, hops.ERROR_MESSAGE, hops.PROVIDER, hops.REASON)

moments = st.integers(0, 253_402_300_799_999).map(
    lambda milliseconds: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
)
counts = st.integers(0, 10**15 - 1)
words = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60)
names = words.filter(bool)
sources = st.builds(
    Source,
    st.text(alphabet="abc.-_", min_size=1),
    st.integers(0, 10**6),
    st.integers(0, 2**40),
)
attempted = st.builds(
    Attempted, attempt=st.integers(1, 99), at=moments, outcome=words, provider=words, code=words, message=words
)
failures = st.builds(Failure, kind=words, code=words, message=words, provider=words)
some_hops = st.builds(
    Hop,
    life=counts,
    attempt=counts,
    first_at=moments,
    expires_at=moments,
    not_before=st.none() | moments,
    origin=st.none() | sources,
    hops=counts,
    unconfirmed=counts,
    handler_faults=counts,
    failure=st.none() | failures,
    reason=st.none() | names,
    history=st.lists(attempted, max_size=4).map(tuple),
)
FULL = Hop(
    life=1,
    attempt=2,
    first_at=NOW,
    expires_at=NOW,
    not_before=NOW,
    origin=Source("notifications.email", 3, 4),
    hops=5,
    unconfirmed=1,
    handler_faults=1,
    failure=Failure(kind="deferred", code="451", message="later", provider="smtp"),
    reason="exhausted",
    history=(Attempted(attempt=1, at=NOW, outcome="deferred", provider="smtp"),),
)


def with_header(name: str, value: bytes) -> Headers:
    return replaced(hops.write((), FULL), {name: value})


@given(some_hops)
def test_a_hop_survives_its_headers(hop: Hop) -> None:
    assert hops.read(hops.write((), hop)) == hop


@given(some_hops, some_hops)
def test_a_hop_replaces_the_one_before_and_is_never_appended(old: Hop, new: Hop) -> None:
    foreign = (("ce_id", b"x"), ("other", b"1"), ("other", b"2"))
    written = hops.write(hops.write(foreign, old), new)
    ours = [name for name, _ in written if name.startswith("tocsin-")]

    assert hops.read(written) == new
    assert len(ours) == len(set(ours))
    assert written[:3] == foreign


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_header_is_named(name: str) -> None:
    with pytest.raises(BrokenHop, match=f"header {name} is missing"):
        hops.read(replaced(hops.write((), FULL), {name: None}))


@pytest.mark.parametrize("name", [name for name, _ in hops.write((), FULL)])
def test_a_repeated_header_is_named(name: str) -> None:
    written = hops.write((), FULL)

    with pytest.raises(BrokenHop, match=f"header {name} is there twice"):
        hops.read((*written, (name, header(written, name) or b"")))


@pytest.mark.parametrize("name", [name for name, _ in hops.write((), FULL)])
def test_a_header_that_is_no_text_is_named(name: str) -> None:
    with pytest.raises(BrokenHop, match=f"header {name} is not UTF-8"):
        hops.read(with_header(name, b"\xff"))


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize(
    "value",
    [b"", b"-1", b"+1", b"1.0", b" 1", b"1 ", b"1\n", b"1_0", b"0x1", b"one", "١".encode(), "²".encode(), b"1" * 16],
)
def test_a_number_that_is_none_is_named_and_not_repeated(name: str, value: bytes) -> None:
    with pytest.raises(BrokenHop, match=f"^header {name} is not a whole number$"):
        hops.read(with_header(name, value))


@pytest.mark.parametrize("name", [hops.FIRST_AT, hops.EXPIRES_AT, hops.NOT_BEFORE])
def test_a_time_beyond_all_calendars_is_named(name: str) -> None:
    with pytest.raises(BrokenHop, match=f"header {name} is not a time"):
        hops.read(with_header(name, b"9" * 15))


@pytest.mark.parametrize(
    "value",
    [b"", b"a", b"a/1", b"/1/2", b"a//2", b"a/1/", b"a/1/2/3", b"a/-1/2", b"a/x/2", "a/١/2".encode(), "ä/1/2".encode()],
)
def test_an_origin_that_is_no_place_is_named(value: bytes) -> None:
    with pytest.raises(BrokenHop, match="header tocsin-origin is not topic/partition/offset"):
        hops.read(with_header(hops.ORIGIN, value))


@pytest.mark.parametrize("value", [b"a/" + b"1" * 5000 + b"/1", b"a/1/" + b"1" * 5000])
def test_an_origin_with_endless_digits_is_a_broken_hop(value: bytes) -> None:
    with pytest.raises(BrokenHop, match="tocsin-origin"):
        hops.read(with_header(hops.ORIGIN, value))


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{}",
        b"[1]",
        b"[{}]",
        b'[{"attempt":"1","at":"2030-01-01T00:00:00Z","outcome":"x","provider":"y"}]',
        b'[{"attempt":1,"at":"yesterday","outcome":"x","provider":"y"}]',
        b'[{"attempt":1,"at":"2030-01-01T00:00:00Z","outcome":"\\ud800","provider":"y"}]',
        b"[",
    ],
)
def test_a_history_that_is_none_is_named(value: bytes) -> None:
    with pytest.raises(BrokenHop, match="header tocsin-history is not a list of attempts"):
        hops.read(with_header(hops.HISTORY, value))


def test_a_history_nested_without_end_is_a_broken_hop() -> None:
    value = b'[{"x":' + b"[" * 5000 + b"]" * 5000 + b"}]"

    with pytest.raises(BrokenHop, match="tocsin-history"):
        hops.read(with_header(hops.HISTORY, value))


@given(st.dictionaries(st.sampled_from([*NUMBERS, *TEXTS, hops.ORIGIN, hops.HISTORY]), st.binary(max_size=40)))
def test_bytes_of_any_kind_are_read_or_broken(changes: dict[str, bytes]) -> None:
    try:
        found = hops.read(replaced(hops.write((), FULL), changes))
    except BrokenHop as error:
        assert str(error).startswith("header tocsin-")
    else:
        assert hops.read(hops.write((), found)).life == found.life


@given(
    st.sampled_from([*NUMBERS, hops.ORIGIN, hops.HISTORY]),
    st.text(alphabet='0123456789/-+.e"[]{}:,atz² ', max_size=40).map(str.encode),
)
def test_near_misses_are_read_or_broken(name: str, value: bytes) -> None:
    try:
        hops.read(with_header(name, value))
    except BrokenHop as error:
        assert name in str(error)


def test_no_headers_are_a_broken_hop() -> None:
    with pytest.raises(BrokenHop):
        hops.read(())


@pytest.mark.parametrize("name", [hops.ERROR_CLASS, hops.ERROR_CODE, hops.ERROR_MESSAGE, hops.PROVIDER])
@pytest.mark.parametrize("letter", ["x", "é", "…", "😀"])
@pytest.mark.parametrize("shift", range(4))
def test_a_text_is_cut_at_512_bytes_between_characters(name: str, letter: str, shift: int) -> None:
    text = "x" * shift + letter * 600
    makers: dict[str, Callable[[str], Failure]] = {
        hops.ERROR_CLASS: lambda text: Failure(kind=text),
        hops.ERROR_CODE: lambda text: Failure(kind="x", code=text),
        hops.ERROR_MESSAGE: lambda text: Failure(kind="x", message=text),
        hops.PROVIDER: lambda text: Failure(kind="x", provider=text),
    }
    value = header(hops.write((), replace(FULL, failure=makers[name](text))), name)

    assert value is not None
    assert 512 - len(letter.encode()) < len(value) <= 512
    assert text.startswith(value.decode())


def test_half_a_character_pair_does_not_stop_a_hop() -> None:
    """Providers' texts are decoded with surrogateescape by some libraries."""
    failure = Failure(kind="deferred", message="nicht verf\udcfcgbar")

    assert hops.read(hops.write((), replace(FULL, failure=failure))).failure is not None


def test_half_a_character_pair_in_the_history_does_not_stop_a_hop() -> None:
    history = (Attempted(attempt=1, at=NOW, outcome="deferred", provider="smtp", message="verf\udcfcgbar"),)

    assert len(hops.read(hops.write((), replace(FULL, history=history))).history) == 1


@given(st.lists(attempted, max_size=40))
def test_the_history_forgets_its_oldest_beyond_32(attempts: list[Attempted]) -> None:
    hop = replace(FULL, history=())
    for each in attempts:
        hop = replace(hop, history=hops.remembered(hop, each))

    assert hop.history == tuple(attempts[-32:])


def test_the_origin_is_the_first_record_for_good() -> None:
    first = hops.first(now=NOW, expires_at=NOW, life=3)
    once = hops.onward(first, source=Source("a", 1, 2), attempt=1)
    twice = hops.onward(once, source=Source("b", 3, 4))

    assert (first.hops, first.attempt, first.life, first.origin) == (0, 0, 3, None)
    assert (once.hops, once.origin, once.attempt) == (1, Source("a", 1, 2), 1)
    assert (twice.hops, twice.origin, twice.attempt) == (2, Source("a", 1, 2), 1)


@pytest.mark.parametrize("microseconds", [1, 500, 999, 1000, 1001])
def test_writing_down_a_due_time_never_makes_it_earlier(microseconds: int) -> None:
    due = NOW + timedelta(microseconds=microseconds)
    found: Any = hops.read(hops.write((), replace(FULL, not_before=due))).not_before

    assert due <= found < due + timedelta(milliseconds=1)
