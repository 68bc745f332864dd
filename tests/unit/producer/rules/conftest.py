"""What rules may name: the real channels and templates."""

import pytest

from producer.rules.vocabulary import Vocabulary
from tests.unit.producer.conftest import TEMPLATES
from tocsin.runtime import discover
from tocsin.templates import catalogue
from tocsin.validation import Schema


@pytest.fixture(scope="session")
def vocabulary(schema: Schema) -> Vocabulary:
    """The vocabulary of a gateway with all channels."""
    templates = catalogue.load(TEMPLATES, default_locale="en")
    return Vocabulary(schema=schema.document, channels=discover.channels(), templates=templates)
