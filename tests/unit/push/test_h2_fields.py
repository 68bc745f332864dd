"""Header sections mean to others what they mean to us, and keep what is secret out of tables."""

import string

import pytest
from hpack import Decoder, NeverIndexedHeaderTuple
from hypothesis import given
from hypothesis import strategies as st

from channels.push.h2_fields import Encoder, section
from tests.unit.push.h2_talks import HEADERS

names = st.text(string.ascii_lowercase + string.digits + "-_.", min_size=1)
values = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF)).filter(
    lambda text: text.isprintable() and text == text.strip()
)


def decoded(decoder: Decoder, block: bytes) -> list[tuple[str, str]]:
    return [(name.decode(), value.decode()) for name, value in decoder.decode(block, raw=True)]


@given(st.lists(st.lists(st.tuples(names, values)), max_size=3))
def test_another_decoder_reads_what_we_encode(sections: list[list[tuple[str, str]]]) -> None:
    encoder, decoder = Encoder(), Decoder(max_header_list_size=2**30)

    for fields in sections:
        fields = [*HEADERS, *fields, ("content-length", "4"), (":method", "GET")]  # noqa: PLW2901 - the whole of it
        assert decoded(decoder, encoder.encode(fields)) == fields
    assert list(decoder.header_table.dynamic_entries) == []


@pytest.mark.parametrize("size", [0, 1, 126, 127, 128, 254, 255, 256, 16_510, 16_511, 40_000])
def test_a_value_of_any_length(size: int) -> None:
    fields = [("x-long", "a" * size), ("x" * (size + 1), "b")]

    assert decoded(Decoder(max_header_list_size=2**30), Encoder().encode(fields)) == fields


@pytest.mark.parametrize("name", ["authorization", ":path"])
def test_what_is_secret_is_never_indexed_by_anybody(name: str) -> None:
    [field] = Decoder().decode(Encoder().encode([(name, "secret")]))

    assert isinstance(field, NeverIndexedHeaderTuple)


@pytest.mark.parametrize(
    "field",
    [
        ("Upper", "1"),
        ("", "1"),
        ("with space", "1"),
        ("name:", "1"),
        ("x", "line\nbreak"),
        ("x", "line\rbreak"),
        ("x", "nul\0"),
        ("x", " before"),
        ("x", "after "),
        (":path", "/\r\nx"),
    ],
)
def test_what_http2_has_not_is_a_bug(field: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match=r"sent|token") as caught:
        Encoder().encode([*HEADERS, field])

    assert not field[1].strip() or field[1] not in str(caught.value)


def test_the_names_of_an_answer_are_those_of_its_fields() -> None:
    assert section([(b":status", b"200"), (b"apns-id", b"\xff")]) == (200, {"apns-id": "\xff"})
    assert section([(b"x-trailer", b"1")]) == (None, {"x-trailer": "1"})
    assert section([]) == (None, {})
