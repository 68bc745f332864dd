"""Segments: the borders of both encodings, what counts double, and what must not be split."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from channels.sms.segments import Size, measure


@pytest.mark.parametrize(
    ("text", "encoding", "units", "segments"),
    [
        ("", "gsm7", 0, 0),
        ("a" * 160, "gsm7", 160, 1),
        ("a" * 161, "gsm7", 161, 2),
        ("a" * 306, "gsm7", 306, 2),
        ("a" * 307, "gsm7", 307, 3),
        ("€" * 80, "gsm7", 160, 1),
        ("€" * 81, "gsm7", 162, 2),
        # 152 septets and a character of two: it begins the second part.
        ("a" * 152 + "€" + "a" * 152, "gsm7", 306, 3),
        ("a" * 151 + "€" + "a" * 153, "gsm7", 306, 2),
        ("ü" * 160, "gsm7", 160, 1),
        ("\N{LEFT DOUBLE QUOTATION MARK}" + "a" * 69, "ucs2", 70, 1),
        ("\N{LEFT DOUBLE QUOTATION MARK}" + "a" * 70, "ucs2", 71, 2),
        ("я" * 134, "ucs2", 134, 2),
        ("я" * 135, "ucs2", 135, 3),
        ("\N{GRINNING FACE}" * 35, "ucs2", 70, 1),
        # 134 units would fit two parts, but 33 pairs fill 66 of 67.
        ("\N{GRINNING FACE}" * 67, "ucs2", 134, 3),
    ],
)
def test_a_text_takes(text: str, encoding: str, units: int, segments: int) -> None:
    found = measure(text)

    assert (found.encoding, found.units, found.segments) == (encoding, units, segments)


@pytest.mark.parametrize("character", "^{}\\[~]|€\f")
def test_a_character_of_the_extension_table_takes_two_septets(character: str) -> None:
    assert measure(character) == Size(encoding="gsm7", units=2, segments=1)


def test_a_character_outside_the_table_changes_the_encoding_of_all() -> None:
    assert measure("a" * 80).segments == 1
    assert measure("a" * 80 + "`").segments == 2


@given(st.text(max_size=700))
@example("\N{GRINNING FACE}" * 67)
def test_segments_hold_the_units_and_no_more_segments_than_needed(text: str) -> None:
    size = measure(text)
    alone, part = (160, 153) if size.encoding == "gsm7" else (70, 67)
    utf16 = len(text.encode("utf-16-le", "surrogatepass")) // 2

    assert size.units >= len(text)
    assert size.encoding == "gsm7" or size.units == utf16
    assert (size.segments <= 1) == (size.units <= alone)
    if size.segments > 1:
        # What is wide can leave one unit of each part unused, never two.
        assert -(-size.units // part) <= size.segments <= -(-size.units // (part - 1))


@pytest.mark.parametrize(
    ("begins", "narrow", "wide", "alone", "part"), [("", "aé@Δ\n", "€[^\f", 160, 153), ("я", "a€я`", "😀𝄞", 70, 67)]
)
@given(data=st.data())
def test_segments_are_as_many_as_are_filled_one_after_the_other(
    *, begins: str, narrow: str, wide: str, alone: int, part: int, data: st.DataObject
) -> None:
    """Whether none, some or all of the characters are wide, which are counted in ways of their own."""
    piece = st.text(data.draw(st.sampled_from([narrow, wide, narrow + wide])), max_size=30)
    # Repeated, because few texts are drawn that are long.
    text = begins + data.draw(piece) * data.draw(st.integers(0, 40)) + data.draw(piece)
    widths = [2 if character in wide else 1 for character in text]
    filled: list[int] = []
    for width in widths:
        if not filled or filled[-1] + width > part:
            filled.append(0)
        filled[-1] += width

    size = measure(text)
    assert size.units == sum(widths)
    assert size.segments == (min(len(text), 1) if sum(widths) <= alone else len(filled))


@given(st.text(max_size=300), st.text(max_size=50))
def test_a_longer_text_never_takes_fewer_segments(text: str, more: str) -> None:
    assert measure(text + more).segments >= measure(text).segments
