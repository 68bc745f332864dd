"""Members of a notification: plain ones as they stand, and those that are picked from the event."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.rules import members
from producer.rules.members import Filled, Table
from tocsin.settings.shape import Path

EVENT = {"id": "1", "data": {"name": "Ada", "none": None, "empty": [], "list": [1, 2]}}
PLAIN = st.recursive(
    st.booleans() | st.integers(-9, 9) | st.text("ab", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)


def read(tree: Any) -> tuple[dict[str, members.Member], Sequence[tuple[Path, str]]]:
    """Return the members of a table, and what was told to be wrong."""
    told: list[tuple[Path, str]] = []
    found = members.read(tree, (), lambda path, detail: told.append((path, detail)))
    assert isinstance(found, Table)
    return dict(found.members), told


def filled(tree: Any) -> Filled:
    found, told = read(tree)
    assert told == []
    return members.fill(found, EVENT)


def pick(text: str) -> dict[str, str]:
    return {"pick": text}


@given(tree=st.dictionaries(st.sampled_from("abc"), PLAIN, max_size=3))
def test_what_is_plain_is_meant_as_it_stands(tree: Any) -> None:
    assert filled(tree) == Filled(value=tree, missing={}, faults=[])


def test_picks_are_filled_wherever_they_are() -> None:
    tree = {"a": pick("id"), "b": {"c": pick("data.name")}, "d": ["x", pick("data.list[0]")], "e": pick("data.empty")}

    assert filled(tree).value == {"a": "1", "b": {"c": "Ada"}, "d": ["x", 1], "e": []}


def test_a_pick_that_finds_nothing_leaves_its_member_out_and_is_remembered() -> None:
    found = filled({"a": pick("data.x"), "b": {"c/d": pick("data.none")}, "l": [pick("nix"), "y"]})

    assert found.value == {"b": {}, "l": ["y"]}
    assert found.missing == {"/a": "data.x", "/b/c~1d": "data.none", "/l/0": "nix"}
    assert found.faults == []


def test_a_pick_that_fails_is_a_fault_at_its_place() -> None:
    [fault] = filled({"a": {"b": pick("length(`1`)")}}).faults

    assert fault.pointer == "/a/b"
    assert "length(`1`) gives length() a value of a type" in fault.detail


@pytest.mark.parametrize(
    ("value", "where", "why"),
    [
        ({"pick": "a["}, ("a", "pick"), "is no JMESPath expression"),
        ({"pick": 1}, ("a", "pick"), "must be text, a JMESPath expression"),
        ({"pick": "a", "default": 1}, ("a", "default"), "stands beside pick"),
        ("a\0b", ("a",), "holds a NUL"),
        (float("nan"), ("a",), "must be a number as JSON has it"),
        (2**64, ("a",), "is a number that is out of range"),
        (object(), ("a",), "put the date in quotes"),
    ],
)
def test_what_cannot_be_a_member_is_told(value: Any, where: Path, why: str) -> None:
    _, [(path, detail)] = read({"a": value})

    assert path == where
    assert why in detail


def test_a_sketch_has_the_places_of_what_is_picked() -> None:
    found, _ = read({"a": pick("x"), "b": ["y", pick("z")], "c": {"d": 1}})

    assert members.sketch(Table(found)) == ({"a": None, "b": ["y", None], "c": {"d": 1}}, ["/a", "/b/1"])


@pytest.mark.parametrize("tree", [{"data": {"a\0b": 1}}, {"data": {"x": [{"\0": {}}]}}, {"data": "a\0"}])
def test_what_no_store_can_keep_is_wrong_wherever_it_stands(tree: Any) -> None:
    [(_, detail)] = read(tree)[1]

    assert "a NUL, which cannot be kept" in detail
