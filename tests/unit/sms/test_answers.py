"""HTTP answers that no table knows, and how long they ask to wait."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.sms import answers
from tocsin import outcome as outcomes
from tocsin.net.http import NotSent, Unanswered
from tocsin.outcome import Deferred, Misconfigured, Unconfirmed

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        (" 0 ", 0),
        ("Tue, 01 Jan 2030 12:00:30 GMT", 30),
        ("Tue, 01 Jan 2030 11:00:00 GMT", 0),
        ("9" * 40, 10**8),
    ],
)
def test_a_wait_is_read(text: str, seconds: int) -> None:
    assert answers.retry_after({"retry-after": text}, NOW) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "soon", "-5", "1.5", "٣"])
def test_what_is_no_wait_is_none(text: str) -> None:
    assert answers.retry_after({"retry-after": text}, NOW) is None


@given(st.text(max_size=60))
def test_whatever_a_provider_says_is_read(text: str) -> None:
    found = answers.retry_after({"retry-after": text}, NOW)

    assert found is None or found >= timedelta()


def test_what_was_not_sent_is_deferred_unless_it_is_our_fault() -> None:
    assert answers.not_sent(NotSent("connection_refused")) == Deferred(
        cause="connection_refused", code="connection_refused"
    )
    assert isinstance(answers.not_sent(NotSent("tls_failed", ours=True)), Misconfigured)
    assert isinstance(answers.unanswered(Unanswered("headers")), Unconfirmed)


@given(st.integers(min_value=200, max_value=599))
def test_no_status_is_taken_for_a_delivery_and_only_refusals_are_final(status: int) -> None:
    kind = outcomes.name(answers.by_status(status, "", told=str(status), retry_after=None))

    assert kind != "delivered"
    if status >= 500 or status in {200, 304, 408}:
        assert kind == "unconfirmed"
