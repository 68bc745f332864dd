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
        assert summary.partial([("email", state) for state in order]) is partial


def test_every_state_has_its_place() -> None:
    assert set(summary.PRECEDENCE) == set(State)


@pytest.mark.parametrize(
    ("deliveries", "state", "partial"),
    [
        ("push:delivered push:dead", "delivered", False),
        ("push:delivered push:expired push:suppressed", "delivered", False),
        ("push:delivered push:dead email:dead", "delivered", True),
        ("push:dead push:dead email:delivered", "delivered", True),
        ("push:delivered push:dead email:delivered", "delivered", False),
        ("push:delivered push:retrying", "retrying", False),
        ("push:dead push:dead", "dead", False),
    ],
)
def test_of_the_devices_of_a_recipient_one_is_enough(deliveries: str, state: str, partial: bool) -> None:
    told = [(channel, State(ended)) for channel, _, ended in (each.partition(":") for each in deliveries.split())]
    for order in itertools.permutations(told):
        assert summary.of([each for _, each in order]) == state
        assert summary.partial(order) is partial
