"""What every test may ask for."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.support import kafka, kafka_jars


def pytest_configure() -> None:
    """Have no example of Hypothesis fail for its time: by itself it allows 200 ms, and the machine has other work."""
    settings.register_profile("tests", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("tests")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the chaos tests in their long forms, which take minutes")


@pytest.fixture
def long(request: pytest.FixtureRequest) -> bool:
    """Return whether the long form is wanted."""
    return bool(request.config.getoption("--long"))


@pytest.fixture(scope="session")
def kafka_bootstrap() -> Iterator[str]:
    """Return where a Kafka is: TOCSIN_KAFKA_BOOTSTRAP, else a broker of this session.

    One for all: tests that use it go to one process, by the xdist group "kafka", and make topics and groups of their
    own. Where none can be run: skipped here, a failure in CI.
    """
    if given := os.environ.get("TOCSIN_KAFKA_BOOTSTRAP"):
        yield given
        return
    reason = kafka_jars.missing()
    if reason and os.environ.get("CI"):
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)
    with kafka.running() as cluster:
        yield cluster.bootstrap
