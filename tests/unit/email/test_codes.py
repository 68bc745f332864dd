"""Reply codes: the table of the specification, row by row, and a fuzz of everything that a server may say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.email.codes import Phase, Table, load, queue_id, redacted
from tocsin.outcome import Deferred, Delivered, Misconfigured, Outcome, Rejected, Throttled, Unconfirmed

PHASES: tuple[Phase, ...] = ("connect", "helo", "tls", "auth", "mail", "rcpt", "data", "body")


@pytest.fixture(scope="module")
def table() -> Table:
    return load()


def kind(outcome: Outcome) -> str:
    match outcome:
        case Rejected(scope=scope):
            return f"rejected-{scope}"
        case Throttled(scope=scope):
            return f"throttled-{scope}"
        case _:
            return type(outcome).__name__.lower()


@pytest.mark.parametrize(
    ("code", "text", "phase", "expected"),
    [
        (250, "2.0.0 Ok: queued as 4Xy", "body", "delivered"),
        (421, "4.7.0 too busy", "rcpt", "throttled-connection"),
        (421, "closing", "body", "throttled-connection"),
        (421, "no", "connect", "throttled-connection"),
        (451, "4.3.2 not accepting", "mail", "throttled-connection"),
        (450, "4.7.0 rate limit exceeded", "rcpt", "throttled-account"),
        (454, "Throttling failure: Maximum sending rate exceeded.", "mail", "throttled-account"),
        (450, "4.2.1 The user you are trying to contact is receiving mail at a rate", "rcpt", "throttled-recipient"),
        (450, "4.2.1 The account is inactive", "rcpt", "deferred"),
        (452, "4.2.2 over quota", "rcpt", "deferred"),
        (452, "4.3.1 storage", "mail", "deferred"),
        (450, "4.7.1 try later", "rcpt", "deferred"),
        (432, "4.7.12 transition needed", "auth", "deferred"),
        (454, "4.7.0 temporary failure", "auth", "deferred"),
        (535, "5.7.8 bad credentials", "auth", "misconfigured"),
        (534, "5.7.9 too weak", "auth", "misconfigured"),
        (530, "5.7.0 must issue STARTTLS", "mail", "misconfigured"),
        (538, "5.7.11 needs encryption", "auth", "misconfigured"),
        (504, "5.5.4 unknown mechanism", "auth", "misconfigured"),
        (554, "no service for you", "connect", "misconfigured"),
        (550, "5.1.1 no such user", "rcpt", "rejected-address"),
        (550, "5.1.2 bad domain", "rcpt", "rejected-address"),
        (501, "5.1.3 Bad recipient address syntax", "rcpt", "rejected-address"),
        (550, "5.1.6 moved", "rcpt", "rejected-address"),
        (550, "5.1.10 null MX", "rcpt", "rejected-address"),
        (550, "5.2.1 disabled", "rcpt", "rejected-address"),
        (551, "not local", "rcpt", "rejected-address"),
        (553, "5.1.3 syntax", "rcpt", "rejected-address"),
        (556, "takes no mail", "rcpt", "rejected-address"),
        (552, "5.2.2 mailbox full", "body", "rejected-address"),
        (550, "5.2.2 mailbox full", "rcpt", "rejected-address"),
        (550, "No such user here", "rcpt", "rejected-address"),
        (550, "5.4.1 Recipient address rejected: Access denied", "rcpt", "rejected-address"),
        (552, "5.3.4 Message size exceeds fixed limit", "mail", "rejected-message"),
        (554, "5.6.0 bad content", "body", "rejected-message"),
        (550, "5.6.7 SMTPUTF8 needed", "body", "rejected-message"),
        (554, "5.7.1 Spam message rejected", "body", "rejected-message"),
        (554, "5.7.1 Relay access denied", "rcpt", "misconfigured"),
        (550, "5.7.1 policy", "body", "rejected-route"),
        (550, "5.7.1 sender not allowed", "mail", "misconfigured"),
        (550, "5.7.26 unauthenticated", "body", "misconfigured"),
        (550, "5.7.515 bulk", "body", "misconfigured"),
        (450, "4.7.26 unauthenticated", "body", "misconfigured"),
        (450, "4.7.28 unusual rate", "body", "throttled-account"),
        (553, "5.1.8 sender refused", "mail", "misconfigured"),
        (500, "5.5.2 what?", "mail", "misconfigured"),
        (503, "5.5.1 bad sequence", "data", "misconfigured"),
        (521, "does not accept mail", "connect", "misconfigured"),
        (554, "5.5.1 no valid recipients", "data", "misconfigured"),
    ],
)
def test_a_row_of_the_table(table: Table, code: int, text: str, phase: Phase, expected: str) -> None:
    reading = table.classify(code, text, phase)

    assert kind(reading.outcome) == expected
    assert reading.mapped


@pytest.mark.parametrize(
    ("code", "text", "phase", "expected"),
    [
        (499, "what", "rcpt", "deferred"),
        (599, "what", "rcpt", "rejected-message"),
        (550, "go away", "rcpt", "rejected-message"),
        (250, "ok", "data", "deferred"),
        (354, "again", "body", "unconfirmed"),
        (-1, "HTTP/1.1 400 Bad Request", "connect", "misconfigured"),
        (-1, "??", "body", "unconfirmed"),
        (999, "??", "rcpt", "deferred"),
    ],
)
def test_what_the_table_does_not_know_is_said_so(
    table: Table, code: int, text: str, phase: Phase, expected: str
) -> None:
    reading = table.classify(code, text, phase)

    assert kind(reading.outcome) == expected
    assert not reading.mapped


def test_greylisting_is_left_to_the_schedule(table: Table) -> None:
    assert table.classify(450, "4.2.0 <a@b.example>: Greylisted for 5 minutes", "rcpt").outcome == Deferred(
        cause="greylisted",
        code="450 4.2.0",
        message="4.2.0 <address>: Greylisted for 5 minutes",
    )


STATUSES = st.builds("{}.{}.{}".format, st.integers(2, 5), st.integers(0, 8), st.integers(0, 40))


@given(
    code=st.integers(200, 599) | st.integers(-999, 9999),
    text=st.text() | st.builds("{} {}".format, STATUSES, st.text()),
    phase=st.sampled_from(PHASES),
)
def test_every_reply_has_an_outcome_of_its_class(code: int, text: str, phase: Phase) -> None:
    outcome = load().classify(code, text, phase).outcome

    assert len(outcome.message) <= 512
    assert "\n" not in outcome.message
    assert isinstance(outcome, Delivered) == (code // 100 == 2 and phase == "body")
    if code // 100 == 4:
        assert isinstance(outcome, Deferred | Throttled | Misconfigured)
    elif code // 100 == 5:
        assert isinstance(outcome, Rejected | Misconfigured)
    elif phase == "body" and code // 100 != 2:
        assert isinstance(outcome, Unconfirmed)


LOCALS = st.text(alphabet="abcXYZ0189._+-äß", min_size=1, max_size=40)


@given(st.text(), LOCALS, st.sampled_from(["<{}>", "{}", '"{}"', "({})", "to={},", "\r\n{}\r\n"]), st.text())
def test_no_address_leaves_in_a_message(before: str, local: str, form: str, after: str) -> None:
    text = f"{before} {form.format(local + '@secret.example')} {after}"

    assert "@secret" not in redacted(text)


def test_an_address_at_the_cut_does_not_leave() -> None:
    assert "ada" not in redacted("x" * 2040 + " ada.lovelace@example.com")
    assert redacted("a\x00b\r\nc") == "a b c"
    assert redacted('"ada l"@example.com unknown') == "<address> unknown"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2.0.0 Ok: queued as 4Xy12Z3abc", "4Xy12Z3abc"),
        ("OK id=1tAbCd-0000000Abc-1xyz", "1tAbCd-0000000Abc-1xyz"),
        ("2.0.0 x9LHgk12 Message accepted for delivery", "x9LHgk12"),
        ("Ok 0100018c2f1e6f3a-5ab2c1d0-1111-2222-3333-444455556666-000000", None),
        ("OK", None),
        ("queued as ada@example.com", "ada"),
    ],
)
def test_the_queue_id_is_found(text: str, expected: str | None) -> None:
    if expected is None and text.startswith("Ok 01"):
        expected = text.removeprefix("Ok ")
    assert queue_id(text) == expected
