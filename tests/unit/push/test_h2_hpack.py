"""What we read in a header section is what the decoder of the package `hpack` reads, and what it refuses, we refuse."""

import pytest
from hpack import Decoder, Encoder, HPACKError
from hypothesis import given
from hypothesis import strategies as st

from channels.push.h2_frames import ErrorCode, Fault
from channels.push.h2_hpack import MOST_SECTION, SectionDecoder

Fields = list[tuple[bytes, bytes]]

# Few enough to come again, so that the table is used.
names = st.one_of(st.sampled_from([b":status", b"apns-id", b"content-length", b"x"]), st.binary(min_size=1, max_size=9))
values = st.one_of(st.sampled_from([b"200", b"404", b"", b"x" * 900]), st.binary(max_size=40))
sections = st.lists(st.tuples(names, values, st.booleans()), max_size=6)


def theirs(decoder: Decoder, block: bytes) -> Fields | None:
    try:
        return [(bytes(name), bytes(value)) for name, value in decoder.decode(block, raw=True)]
    except (HPACKError, IndexError, TypeError):  # the last two for blocks that are cut short
        return None


def ours(decoder: SectionDecoder, block: bytes) -> Fields | None:
    try:
        return decoder.decode(block)
    except Fault as fault:
        assert fault.code == ErrorCode.COMPRESSION_ERROR
        return None


@given(st.lists(st.tuples(sections, st.booleans(), st.sampled_from([None, 0, 50, 1000, 4096])), max_size=8))
def test_we_read_what_was_encoded(told: list[tuple[list[tuple[bytes, bytes, bool]], bool, int | None]]) -> None:
    encoder, decoder = Encoder(), SectionDecoder()

    for fields, packed, table in told:
        if table is not None:
            encoder.header_table_size = table
        block = encoder.encode(fields, huffman=packed)
        assert decoder.decode(block) == [(name, value) for name, value, _ in fields]


pieces = st.one_of(
    st.binary(max_size=30),
    st.binary(min_size=1, max_size=3),
    st.sampled_from(
        [b"\x88", b"\xbe", b"\xbf", b"\x20", b"\x3f\xe1\x1f", b"\x40\x01x\x01y", b"\x0f\x0d\x011", b"\x7e\x01z"]
    ),
    st.sampled_from([b"\x40\x01x\x83\xff\xff\xff", b"\x48\x82\x10\x01", b"\x5f\x81\xff"]),  # packed, well or ill
)


@given(st.lists(st.lists(pieces, max_size=5).map(b"".join), max_size=4))
def test_we_read_and_refuse_as_another_decoder(blocks: list[bytes]) -> None:
    us, them = SectionDecoder(), Decoder()

    for block in blocks:
        found = theirs(them, block)
        assert ours(us, block) == found
        if found is None:
            break


@pytest.mark.parametrize(
    "block",
    [
        b"\x80",  # there is no field 0
        b"\xbe",  # nothing is in the table yet
        b"\x88\x20",  # a change of size after a field
        b"\x3f\xe2\x1f",  # a table of 4,097
        b"\x40\x05abc",
        b"\x40\x01x",
        b"\xff\xff\xff\xff\xff\xff\xff\x0f",
    ],
)
def test_what_cannot_be_read_is_a_fault(block: bytes) -> None:
    assert ours(SectionDecoder(), block) is None


def test_a_section_that_swells_is_a_fault() -> None:
    decoder = SectionDecoder()
    large = b"\x40\x01x\x7f\xa1\x1e" + b"a" * 4000  # 4,000 octets, which the table keeps

    assert decoder.decode(large) == [(b"x", b"a" * 4000)]
    assert ours(decoder, b"\xbe" * (MOST_SECTION // 4000 + 1)) is None


def test_the_table_changes_its_size_within_what_we_allow() -> None:
    decoder = SectionDecoder()
    decoder.decode(b"\x40\x01x\x01y")
    assert decoder.decode(b"\xbe") == [(b"x", b"y")]
    assert decoder.decode(b"\x20\x3f\xe1\x1f\x88") == [(b":status", b"200")]  # none, then 4,096 again

    assert ours(decoder, b"\xbe") is None
