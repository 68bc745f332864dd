"""Each scenario runs for every provider on the embedded log, and for some on Kafka with PostgreSQL as well."""

from typing import NamedTuple

import pytest

from tests.support.kinds import KINDS, Kind

ON_KAFKA = ("smtp", "twilio")


class Place(NamedTuple):
    """Where a scenario is set."""

    kind: Kind
    kafka: bool


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Set each test for the kinds that it is about: those of its mark `kinds`, else all. With `kafka=False` it is not
    set on Kafka."""
    if "place" not in metafunc.fixturenames:
        return
    mark = metafunc.definition.get_closest_marker("kinds")
    names = mark.args[0] if mark else KINDS
    kafka = [pytest.mark.xdist_group("kafka")]
    places = [pytest.param(Place(KINDS[name], kafka=False), id=name) for name in names]
    places += [
        pytest.param(Place(KINDS[name], kafka=True), id=f"{name}-kafka", marks=kafka)
        for name in names
        if name in ON_KAFKA and not (mark and not mark.kwargs.get("kafka", True))
    ]
    metafunc.parametrize("place", places)


@pytest.fixture
def kind(place: Place) -> Kind:
    """The provider."""
    return place.kind


@pytest.fixture
def bootstrap(place: Place, request: pytest.FixtureRequest) -> str | None:
    """Return where the Kafka is that the scenario runs on, None for the embedded log."""
    if not place.kafka:
        return None
    found: str = request.getfixturevalue("kafka_bootstrap")
    return found
