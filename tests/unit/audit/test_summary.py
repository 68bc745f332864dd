"""How deliveries' states sum up."""

import itertools

import pytest

from audit import summary
from tocsin.lifecycle import State


@pytest.mark.parametrize(
    ("states", "expected", "partial"),
    [
        ("", "accepted", False),
        ("delivered delivered", "delivered", False),
        ("dead dead", "dead", False),
        ("delivered dead", "delivered", True),
        ("delivered suppressed cancelled", "delivered", True),
        ("delivered retrying", "retrying", False),
        ("delivered dead retrying accepted", "accepted", False),
        ("cancelled suppressed expired dead", "dead", False),
        ("cancelled suppressed expired", "expired", False),
        ("cancelled suppressed", "suppressed", False),
    ],
)
def test_sums(states: str, expected: str, partial: bool) -> None:
    for order in itertools.permutations([State(state) for state in states.split()]):
        assert summary.of(order) == expected
        assert summary.partial(order) is partial


def test_every_state_has_its_place() -> None:
    assert set(summary.PRECEDENCE) == set(State)
