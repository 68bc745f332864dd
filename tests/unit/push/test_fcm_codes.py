"""Error codes: every row of the table, which of several clues decides, and what no row knows."""

import tomllib
from datetime import timedelta
from importlib import resources
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.push.fcm_answer import Complaint
from channels.push.fcm_codes import Table, load
from simulators.fcm import errors
from tocsin.outcome import Deferred, Misconfigured, Outcome, Rejected, Throttled, Unconfirmed

FILE = tomllib.loads(resources.files("channels.push").joinpath("fcm_codes.toml").read_text())


@pytest.fixture(scope="module")
def table() -> Table:
    return load()


def kind(outcome: Outcome) -> str:
    match outcome:
        case Rejected(scope=scope) | Throttled(scope=scope):
            return f"{type(outcome).__name__.lower()}-{scope}"
        case _:
            return type(outcome).__name__.lower()


def seconds(outcome: Outcome) -> float | None:
    wait = outcome.retry_after if isinstance(outcome, Deferred | Throttled) else None
    return None if wait is None else wait.total_seconds()


# HTTP status, FCM's code, status of google.rpc, quota, class, seconds to wait.
ROWS = [
    (404, "UNREGISTERED", "NOT_FOUND", "", "rejected-address", None),
    (400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", "", "rejected-message", None),
    (403, "SENDER_ID_MISMATCH", "PERMISSION_DENIED", "", "rejected-address", None),
    (401, "THIRD_PARTY_AUTH_ERROR", "UNAUTHENTICATED", "", "rejected-address", None),
    (401, "APNS_AUTH_ERROR", "UNAUTHENTICATED", "", "rejected-address", None),
    (429, "QUOTA_EXCEEDED", "RESOURCE_EXHAUSTED", "device message rate", "throttled-recipient", 60),
    (429, "QUOTA_EXCEEDED", "RESOURCE_EXHAUSTED", "", "throttled-account", 60),
    (503, "UNAVAILABLE", "UNAVAILABLE", "", "deferred", None),
    (500, "INTERNAL", "INTERNAL", "", "deferred", 10),
    (400, "", "INVALID_ARGUMENT", "", "rejected-message", None),
    (401, "", "UNAUTHENTICATED", "", "misconfigured", None),
    (403, "", "PERMISSION_DENIED", "", "misconfigured", None),
    (404, "", "NOT_FOUND", "", "rejected-address", None),
    (429, "", "RESOURCE_EXHAUSTED", "", "throttled-account", 60),
    (503, "", "UNAVAILABLE", "", "deferred", None),
    (500, "", "INTERNAL", "", "deferred", 10),
    (504, "", "DEADLINE_EXCEEDED", "", "unconfirmed", None),
    (401, "", "", "", "misconfigured", None),
    (403, "", "", "", "misconfigured", None),
    (404, "", "", "", "misconfigured", None),
    (413, "", "", "", "rejected-message", None),
    (429, "", "", "", "throttled-account", 60),
    (500, "", "", "", "unconfirmed", None),
    (503, "", "", "", "unconfirmed", None),
    (502, "", "", "", "unconfirmed", None),
    (504, "", "", "", "unconfirmed", None),
]


@pytest.mark.parametrize("row", ROWS)
def test_a_row_of_the_table(table: Table, row: tuple[int, str, str, str, str, float | None]) -> None:
    http, error_code, status, quota, expected, wait = row
    reading = table.classify(http, Complaint(error_code, status, "text", quota), None)

    assert (kind(reading.outcome), seconds(reading.outcome)) == (expected, wait)
    assert reading.outcome.code == f"{http} {error_code or status}".rstrip()
    assert reading.outcome.message == "text"


def test_every_row_has_its_example() -> None:
    assert len(FILE["row"]) == len(ROWS)


def test_a_dead_token_is_never_sent_to_again_and_no_other_is(table: Table) -> None:
    suppressed = {
        error_code: outcome.suppress
        for http, error_code, status, quota, *_ in ROWS
        if isinstance(outcome := table.classify(http, Complaint(error_code, status, "", quota), None).outcome, Rejected)
    }

    assert suppressed.pop("UNREGISTERED") == "dead_token"
    assert set(suppressed.values()) == {None}
    assert {"SENDER_ID_MISMATCH", "THIRD_PARTY_AUTH_ERROR", "APNS_AUTH_ERROR", "INVALID_ARGUMENT"} < suppressed.keys()


def test_a_retry_after_holds_over_the_tables_wait(table: Table) -> None:
    for http, error_code in ((429, "QUOTA_EXCEEDED"), (500, "INTERNAL"), (503, "UNAVAILABLE")):
        reading = table.classify(http, Complaint(error_code), timedelta(minutes=5))

        assert seconds(reading.outcome) == 300


def test_an_argument_that_may_be_a_token_or_a_payload_is_counted(table: Table) -> None:
    assert table.classify(400, Complaint("INVALID_ARGUMENT", "INVALID_ARGUMENT"), None).unmapped
    assert not table.classify(400, Complaint("", "INVALID_ARGUMENT"), None).unmapped


@pytest.mark.parametrize("code", ["THIRD_PARTY_AUTH_ERROR", "APNS_AUTH_ERROR"])
def test_a_project_without_a_key_for_apple_is_counted_and_closes_nothing(table: Table, code: str) -> None:
    reading = table.classify(401, Complaint(code, "UNAUTHENTICATED"), None)

    assert (kind(reading.outcome), reading.unmapped) == ("rejected-address", f"401 {code}")


def test_an_unknown_code_of_fcm_is_counted_and_read_by_its_status(table: Table) -> None:
    reading = table.classify(503, Complaint("BRAND_NEW", "UNAVAILABLE"), None)

    assert (kind(reading.outcome), reading.unmapped) == ("deferred", "503 BRAND_NEW")


@pytest.mark.parametrize(
    ("http", "wait", "expected"),
    [
        (302, None, "misconfigured"),
        (201, None, "unconfirmed"),
        (204, None, "unconfirmed"),
        (418, None, "rejected-message"),
        (599, None, "unconfirmed"),
        (599, timedelta(seconds=5), "unconfirmed"),
    ],
)
def test_what_no_row_knows_takes_the_conservative_class_of_its_status(
    table: Table, http: int, wait: timedelta | None, expected: str
) -> None:
    reading = table.classify(http, Complaint(), wait)

    assert (kind(reading.outcome), reading.unmapped) == (expected, str(http))


def test_all_that_the_simulator_says_is_known(table: Table) -> None:
    assert {("error_code", code) for code in errors.CODES} <= table._rows.keys()


WORDS = st.sampled_from(["", "UNREGISTERED", "INTERNAL", "QUOTA_EXCEEDED", "NEW", "UNAVAILABLE"])


@given(
    http=st.integers(100, 599).filter(lambda http: http != 200),
    said=st.builds(Complaint, WORDS, WORDS, st.text(max_size=20), st.sampled_from(["", "device"])),
    wait=st.none() | st.timedeltas(timedelta(), timedelta(days=2)),
)
def test_every_error_has_an_outcome_and_none_is_a_success(http: int, said: Complaint, wait: Any) -> None:
    outcome = load().classify(http, said, wait).outcome

    assert isinstance(outcome, Rejected | Deferred | Throttled | Misconfigured | Unconfirmed)
