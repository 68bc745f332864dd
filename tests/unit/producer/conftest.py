"""A checker over the real channels, templates and schema."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from producer.check import Checker, Limits
from producer.schema import composed
from tocsin import schemas
from tocsin.runtime import discover
from tocsin.templates import catalogue
from tocsin.validation import Schema

NOW = datetime(2030, 1, 1, tzinfo=UTC)
TEMPLATES = Path(__file__).parents[3] / "configs" / "templates"


@pytest.fixture(scope="session")
def schema() -> Schema:
    """The schema of a submitted notification."""
    return Schema(composed(schemas.document("notification"), discover.channels().values()))


@pytest.fixture(scope="session")
def checker() -> Checker:
    """What checks the rest."""
    templates = catalogue.load(TEMPLATES, default_locale="en")
    return Checker(channels=discover.channels(), templates=templates, limits=Limits())
