"""Which services a process runs."""

import pytest

from tocsin.errors import SettingsError
from tocsin.runtime.roles import Roles, parse

SERVICES = ["producer", "channels", "dlq", "audit"]
CHANNELS = ["email", "sms"]


@pytest.mark.parametrize(
    ("words", "services", "channels"),
    [
        ("producer dlq audit", {"producer", "dlq", "audit"}, None),
        ("audit audit", {"audit"}, None),
        ("channel email", {"channels"}, {"email"}),
        ("channel email channel sms producer", {"channels", "producer"}, {"email", "sms"}),
    ],
)
def test_words_name_services_and_channels(words: str, services: set[str], channels: set[str] | None) -> None:
    found = parse(words.split(), services=SERVICES, channels=CHANNELS)
    assert found == Roles(services=frozenset(services), channels=None if channels is None else frozenset(channels))


@pytest.mark.parametrize("words", ["", "channels", "mailer", "channel", "channel fax", "producer channel", "email"])
def test_what_is_not_there_is_named_together_with_what_is(words: str) -> None:
    with pytest.raises(SettingsError, match="audit, dlq, producer, channel email, channel sms"):
        parse(words.split(), services=SERVICES, channels=CHANNELS)
