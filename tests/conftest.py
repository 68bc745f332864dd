"""What every test may ask for."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the chaos tests in their long forms, which take minutes")


@pytest.fixture
def long(request: pytest.FixtureRequest) -> bool:
    """Return whether the long form is wanted."""
    return bool(request.config.getoption("--long"))
