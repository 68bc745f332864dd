"""Expressions: what they find, what is refused when they are read, and what they may cost."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.rules import expression
from producer.rules.expression import ExpressionError, Failed

SECRET = "ada@example.test"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("data.a", 1),
        ("data.b", None),
        ("data.l[].{name: n}", [{"name": "x"}, {"name": "y"}]),
        ("join(', ', data.l[].n)", "x, y"),
        ("data.b || 'none'", "none"),
        ("to_string(data.a)", "1"),
        ("sort_by(data.l, &m)[0].n", "y"),
        ('`"a\\`b"` || data', "a`b"),
    ],
)
def test_what_is_found(text: str, found: Any) -> None:
    document = {"data": {"a": 1, "l": [{"n": "x", "m": 2}, {"n": "y", "m": 1}]}}

    assert expression.parse(text).search(document) == found


@pytest.mark.parametrize(
    ("text", "holds"),
    [("n", True), ("z", True), ("e", False), ("o", False), ("l", False), ("f", False), ("x", False), ("n > `0`", True)],
)
def test_what_is_true_is_what_jmespath_takes_for_it(text: str, *, holds: bool) -> None:
    document = {"n": 1, "z": 0, "e": "", "o": {}, "l": [], "f": False}

    assert expression.parse(text).holds(document) is holds


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        ("a[", "it ends too early"),
        ("a b", "unexpected 'b' at character 3"),
        ("a == `x`", "a text stands in quotes, 'like this', at character 6"),
        ("&a", "has & where no function takes it"),
        ("{a: &b}", "has & where no function takes it"),
        ("to_string(&a)", "has & where no function takes it"),
        ("a = 'x'", "unknown token '=' at character 3"),
        ("lenght(@)", "calls lenght(), which JMESPath does not have"),
        ("length(@, @)", "calls length() with 2 arguments; it takes 1"),
        ("a" * 1001, "is longer than 1,000 characters"),
        ("|".join(["[@, @]"] * 50), "is nested too deeply"),
        ("!" * 900 + "a", "is nested too deeply"),
        ('`"\\u0000"`', "holds a NUL"),
        ('`"\\ud800"`', "half a character"),
    ],
)
def test_what_is_no_expression_is_told_when_it_is_read(text: str, why: str) -> None:
    with pytest.raises(ExpressionError, match=r".*") as caught:
        expression.parse(text)

    assert why in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "|".join(["[@, @]"] * 38),
        "|".join(["[@, @][]"] * 19),
        "|".join(["{a: @, b: @}"] * 38),
        "join(text, list)",
        "to_string(|)".replace("|", "|".join(["[@, @]"] * 30)),
    ],
)
def test_an_expression_that_would_take_for_ever_ends(text: str) -> None:
    document = {"text": "x" * 100_000, "list": ["y"] * 1000}
    found = expression.parse(text)
    start = time.thread_time()
    with pytest.raises(Failed, match="takes more work than an expression may"):
        found.search(document)

    assert time.thread_time() - start < 2


def test_a_result_that_is_nested_too_deeply_is_none() -> None:
    deep: Any = "x"
    for _ in range(40):
        deep = {"a": deep}

    with pytest.raises(Failed, match="deeper than 32 levels"):
        expression.parse("@").search(deep)


@pytest.mark.parametrize("text", ["length(`1`)", "max(@)", "sum(mail)", "ceil(to_number('inf'))", "sort_by(l, &a)"])
def test_a_failure_says_nothing_of_the_event(text: str) -> None:
    with pytest.raises(Failed) as caught:
        expression.parse(text).search({"mail": SECRET, "l": [{"a": SECRET}, {"a": 1}]})

    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


@given(document=JSON, text=st.text("ab.[]*|{}:,@()&!'`<=?", max_size=14))
def test_nothing_else_comes_of_any_expression_on_any_event(document: Any, text: str) -> None:
    try:
        found = expression.parse(text).search(document)
    except (ExpressionError, Failed):
        return
    assert found is None or isinstance(found, str | bool | int | float | list | dict)


@pytest.mark.parametrize("text", ["to_number(a)", "[to_number(b)]", "{n: avg(c)}"])
def test_what_is_no_number_in_json_is_not_found(text: str) -> None:
    with pytest.raises(Failed, match="finds a number that JSON does not have"):
        expression.parse(text).search({"a": "nan", "b": "1e999", "c": [1e308, 1e308]})
