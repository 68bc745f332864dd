"""What an outcome says of its route."""

from datetime import timedelta
from typing import Literal

import pytest

from channels import signs
from channels.signs import Sign
from tocsin.outcome import Deferred, Delivered, Misconfigured, Outcome, Rejected, Throttled, Unconfirmed

WAIT = timedelta(seconds=300)
BUSY = Deferred(cause="busy", code="451 4.3.0")

# The outcome, whether the claim was awaited; how the provider did, whether it is congested, whether another is tried
TABLE: list[tuple[Outcome, bool, Sign, bool, bool]] = [
    (Delivered(), True, Sign.WORKS, False, False),
    (Rejected(reason="unknown", scope="address"), True, Sign.WORKS, False, False),
    (Rejected(reason="too large", scope="message"), False, Sign.WORKS, False, False),
    (Rejected(reason="policy", scope="route"), True, Sign.WORKS, False, True),
    (BUSY, True, Sign.WORKS, False, False),
    (Deferred(cause="greylisted", code="450 4.7.1"), True, Sign.WORKS, False, False),
    (Deferred(cause="error", code="500"), True, Sign.FAILS, False, False),
    (Deferred(cause="error", code="503 UNAVAILABLE"), True, Sign.FAILS, False, False),
    (Deferred(cause="connection_refused"), False, Sign.FAILS, False, True),
    (Deferred(cause="connect_timeout"), False, Sign.FAILS, True, True),
    (Deferred(cause="connection_lost"), True, Sign.FAILS, False, False),
    (Deferred(cause="mail_timeout"), True, Sign.FAILS, True, False),
    (Deferred(cause="deadline"), False, Sign.FAILS, True, True),
    (Throttled(scope="account"), True, Sign.WORKS, True, True),
    (Throttled(scope="sender"), True, Sign.WORKS, True, True),
    (Throttled(scope="connection"), True, Sign.WORKS, True, True),
    (Throttled(scope="recipient"), True, Sign.WORKS, False, False),
    (Throttled(scope="domain"), True, Sign.WORKS, False, False),
    (Misconfigured(detail="password"), False, Sign.MISCONFIGURED, False, True),
    (Misconfigured(detail="sender"), True, Sign.MISCONFIGURED, False, True),
    (Unconfirmed(phase="data"), True, Sign.FAILS, True, False),
]


@pytest.mark.parametrize(("outcome", "claimed", "sign", "congested", "fails_over"), TABLE)
def test_an_outcome_says(outcome: Outcome, claimed: bool, sign: Sign, congested: bool, fails_over: bool) -> None:
    assert signs.of(outcome, claimed=claimed) is sign
    assert signs.congested(outcome) is congested
    assert signs.fails_over(outcome, claimed=claimed) is fails_over


@pytest.mark.parametrize("scope", ["account", "sender", "connection", "domain"])
def test_a_wait_is_asked_of_all_but_the_recipient(
    scope: Literal["account", "sender", "connection", "domain"],
) -> None:
    assert signs.asks_to_wait(Throttled(scope=scope, retry_after=WAIT)) == WAIT
    assert signs.asks_to_wait(Throttled(scope=scope)) is None


def test_a_recipients_wait_is_its_own() -> None:
    assert signs.asks_to_wait(Throttled(scope="recipient", retry_after=WAIT)) is None
    assert signs.asks_to_wait(Deferred(cause="busy", retry_after=WAIT)) is None
