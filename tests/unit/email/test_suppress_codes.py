"""Which replies say that an address is not to be used again, and which do not."""

import pytest

from channels.email.codes import Phase, Table, load
from tocsin.outcome import Rejected


@pytest.fixture(scope="module")
def table() -> Table:
    return load()


def suppress(table: Table, code: int, text: str, phase: Phase) -> str | None:
    outcome = table.classify(code, text, phase).outcome
    return outcome.suppress if isinstance(outcome, Rejected) else None


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (550, "5.1.1 no such user"),
        (550, "5.1.2 bad domain"),
        (553, "5.1.3 syntax"),
        (550, "5.1.6 moved"),
        (550, "5.1.10 null MX"),
        (550, "5.2.1 disabled"),
        (551, "not local"),
        (556, "takes no mail"),
    ],
)
@pytest.mark.parametrize("phase", ["rcpt", "data", "body"])
def test_an_address_that_is_gone_is_suppressed(table: Table, code: int, text: str, phase: Phase) -> None:
    assert suppress(table, code, text, phase) == "hard_bounce"


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (552, "5.2.2 mailbox full"),
        (550, "5.2.2 mailbox full"),
        (450, "4.1.1 not now"),
        (450, "4.2.1 inactive"),
        (550, "5.7.1 policy"),
        (550, "5.7.26 unauthenticated"),
        (554, "5.6.0 bad content"),
        (554, "5.7.1 Relay access denied"),
        (550, "5.4.1 Recipient address rejected: Access denied"),
        (550, "No such user here"),
        (550, "go away"),
        (250, "2.1.5 ok"),
    ],
)
def test_what_may_pass_or_is_our_fault_suppresses_nobody(table: Table, code: int, text: str) -> None:
    assert suppress(table, code, text, "rcpt") is None


@pytest.mark.parametrize("phase", ["mail", "helo", "connect", "auth", "tls"])
def test_a_reply_that_is_not_to_the_recipient_suppresses_nobody(table: Table, phase: Phase) -> None:
    """Servers that mean the sender's domain say 5.1.2 at MAIL."""
    assert suppress(table, 550, "5.1.2 bad domain", phase) is None
