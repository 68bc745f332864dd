"""The tables of codes: every row is what the vendors' pages say, written down here a second time."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.sms import codes
from tocsin import outcome as outcomes
from tocsin.outcome import Misconfigured, Rejected, Throttled, Unconfirmed

TWILIO = {
    "throttled account": (20429, 63017, 63018, 63038),
    "throttled sender": (14107, 21611, 30001, 30022),
    "misconfigured": (10001, 20003, 20403, 20404, 21212, 21601, 21603, 21705, 30002),
    "rejected address hard_bounce": (21211, 21217, 21265, 21614, 21635, 30005, 30006),
    "rejected address opt_out": (21610,),
    "rejected route": (21266, 21408, 21606, 21608, 21612, 21659, 30034),
    "rejected message": (21602, 21617, 21619, 21623, 21658, 30007),
    "unconfirmed": (30410,),
}
VONAGE = {
    "throttled account": (1,),
    "throttled connection": (10,),
    "misconfigured": (2, 4, 8, 9, 11, 14, 22, 23, 32),
    "rejected address": (6, 7),
    "rejected address hard_bounce": (33,),
    "rejected route": (3, 15, 29),
    "rejected message": (12,),
    "unconfirmed": (5,),
}
SUPPRESSING = {
    "twilio_codes.toml": {
        **dict.fromkeys(("21211", "21614", "21635", "30005", "30006"), "hard_bounce"),
        "21610": "opt_out",
    },
    "vonage_codes.toml": {"3": "hard_bounce", "4": "hard_bounce", "9": "opt_out"},
}
SILENT = {
    "twilio_codes.toml": {"30001", "30002", "30003", "30007", "30008", "30022", "30024", "30034", "30410", "30500"},
    "vonage_codes.toml": {"1", "2", "5", "6", "7", "8", "10", "11", "12", "13", "14", "15", "99"},
}
ROWS = [
    (file, str(code), expected)
    for file, table in (("twilio_codes.toml", TWILIO), ("vonage_codes.toml", VONAGE))
    for expected, listed in table.items()
    for code in listed
]


def worded(found: outcomes.Outcome) -> str:
    """Return an outcome's class in words."""
    match found:
        case Throttled(scope=scope):
            return f"throttled {scope}"
        case Rejected(scope=scope, suppress=suppress):
            return f"rejected {scope} {suppress or ''}".rstrip()
        case _:
            return outcomes.name(found)


@pytest.mark.parametrize(("file", "code", "expected"), ROWS)
def test_a_code_has_its_class(file: str, code: str, expected: str) -> None:
    found = codes.load(file).outcome(code, "No, +12025550143", told=f"400 {code}")

    assert found is not None
    assert worded(found) == expected
    assert (found.code, found.message) == (f"400 {code}", "No, [redacted]")


@pytest.mark.parametrize("file", ["twilio_codes.toml", "vonage_codes.toml"])
def test_no_row_is_left_out_here(file: str) -> None:
    table = codes.load(file)

    assert set(table.answers) == {code for other, code, _ in ROWS if other == file}
    assert {code: row.suppress for code, row in table.receipts.items() if row.suppress} == SUPPRESSING[file]
    assert {code for code, row in table.receipts.items() if not row.suppress} == SILENT[file]
    assert not any(row.scope for row in table.receipts.values() if row.suppress)


def test_an_unknown_code_is_not_in_the_table() -> None:
    assert codes.load("twilio_codes.toml").outcome("99999", "", told="") is None


def test_a_wait_is_passed_on() -> None:
    table = codes.load("twilio_codes.toml")
    found = table.outcome("20429", "", told="429 20429", retry_after=timedelta(seconds=7))

    assert isinstance(found, Throttled)
    assert found.retry_after == timedelta(seconds=7)
    assert isinstance(table.outcome("20003", "", told=""), Misconfigured)
    assert isinstance(table.outcome("30410", "", told=""), Unconfirmed)


@pytest.mark.parametrize(
    "text",
    [
        "The 'To' number +12025550143 is not valid",
        "The 'To' number 12025550143 is not valid",
        "number: (202) 555-0143!",
        "to +1 202 555 0143",
        "ada@example.com wrote",
    ],
)
def test_a_text_names_nobody(text: str) -> None:
    found = codes.redacted(text)

    assert "0143" not in found
    assert "ada" not in found


@given(st.text(max_size=3000))
def test_a_text_is_one_short_line(text: str) -> None:
    found = codes.redacted(text)

    assert len(found) <= 512
    assert "\n" not in found


def test_a_code_stays_readable() -> None:
    assert codes.redacted("error 21211, see https://www.twilio.com/docs/errors/21211").count("21211") == 2
