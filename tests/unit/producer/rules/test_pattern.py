"""Patterns: `*` is any characters, everything else is itself."""

import re
import time

from hypothesis import given
from hypothesis import strategies as st

from producer.rules.pattern import Pattern

LETTERS = "ab.*?["


@given(pattern=st.text(LETTERS, max_size=8), text=st.text(LETTERS, max_size=10))
def test_a_pattern_matches_as_the_regular_expression_does_that_it_stands_for(pattern: str, text: str) -> None:
    expected = re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL) is not None

    assert Pattern(pattern).matches(text) is expected


def test_many_stars_take_no_time() -> None:
    start = time.thread_time()

    assert not Pattern("*a" * 100 + "b").matches("a" * 10_000)
    assert time.thread_time() - start < 1
