"""HTTP answers that no table knows, and calls that have none."""

from hypothesis import given
from hypothesis import strategies as st

from channels.sms import answers
from tocsin import outcome as outcomes
from tocsin.net.http import NotSent, Unanswered
from tocsin.outcome import Deferred, Misconfigured, Unconfirmed


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
