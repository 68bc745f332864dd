"""Refusals of APNs: every row of the table, what no row knows, and bodies that are anything."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.push import apns_answer, apns_codes
from channels.push.apns_codes import Table
from simulators.apns.reasons import STATUS_OF
from tocsin.clock import to_ms
from tocsin.net.http import Answer
from tocsin.outcome import Deferred, Misconfigured, Outcome, Rejected, Throttled, Unconfirmed

KNOWN_AT = datetime(2030, 1, 1, tzinfo=UTC)

EXPECTED = {
    "BadCollapseId": "rejected-message",
    "BadDeviceToken": "rejected-address",
    "BadExpirationDate": "rejected-message",
    "BadMessageId": "rejected-message",
    "BadPriority": "rejected-message",
    "BadTopic": "misconfigured",
    "DeviceTokenNotForTopic": "rejected-address",
    "DuplicateHeaders": "rejected-message",
    "IdleTimeout": "deferred",
    "InvalidPushType": "rejected-message",
    "MissingDeviceToken": "rejected-address",
    "MissingTopic": "misconfigured",
    "PayloadEmpty": "rejected-message",
    "TopicDisallowed": "misconfigured",
    "BadCertificate": "misconfigured",
    "BadCertificateEnvironment": "misconfigured",
    "BadEnvironmentKeyIdInToken": "misconfigured",
    "BadEnvironmentKeyInToken": "misconfigured",
    "ExpiredProviderToken": "misconfigured",
    "Forbidden": "misconfigured",
    "InvalidProviderToken": "misconfigured",
    "MissingProviderToken": "misconfigured",
    "UnrelatedKeyIdInToken": "misconfigured",
    "BadPath": "rejected-message",
    "MethodNotAllowed": "rejected-message",
    "ExpiredToken": "rejected-address",
    "Unregistered": "rejected-address",
    "PayloadTooLarge": "rejected-message",
    "TooManyProviderTokenUpdates": "throttled-account",
    "TooManyRequests": "throttled-recipient",
    "InternalServerError": "deferred",
    "ServiceUnavailable": "deferred",
    "Shutdown": "deferred",
}


@pytest.fixture(scope="module")
def table() -> Table:
    return apns_codes.load()


DEEP = b'{"reason":' + b"[" * 60_000


def read(table: Table, status: int, body: bytes = b"", **headers: str) -> apns_codes.Reading:
    said = apns_answer.complaint(Answer(status=status, headers=headers, body=body), KNOWN_AT)
    return table.classify(said, known_at=KNOWN_AT)


def refused(reason: str, **more: Any) -> bytes:
    fields = [f'"reason":"{reason}"', *(f'"{name}":{value}' for name, value in more.items())]
    return ("{" + ",".join(fields) + "}").encode()


def kind(outcome: Outcome) -> str:
    match outcome:
        case Rejected(scope=scope):
            return f"rejected-{scope}"
        case Throttled(scope=scope):
            return f"throttled-{scope}"
        case _:
            return type(outcome).__name__.lower()


@pytest.mark.parametrize(("reason", "expected"), EXPECTED.items())
def test_a_reason_has_its_outcome(table: Table, reason: str, expected: str) -> None:
    outcome, mapped = read(table, STATUS_OF[reason], refused(reason))

    assert kind(outcome) == expected
    assert outcome.code == f"{STATUS_OF[reason]} {reason}"
    assert mapped


def test_every_reason_of_the_table_is_expected_here() -> None:
    told = {(int(row.status), reason) for row in apns_codes.load().rows for reason in row.reasons}

    assert told == {(STATUS_OF[reason], reason) for reason in EXPECTED}
    assert set(EXPECTED) == set(STATUS_OF)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, "rejected-message"),
        (402, "rejected-message"),
        (403, "misconfigured"),
        (404, "rejected-message"),
        (410, "rejected-address"),
        (413, "rejected-message"),
        (429, "throttled-account"),
        (500, "deferred"),
        (502, "deferred"),
        (503, "deferred"),
        (201, "unconfirmed"),
        (302, "unconfirmed"),
        (600, "unconfirmed"),
    ],
)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b'{"reason":"Novelty"}',
        b'{"reason":7}',
        b"[]",
        b'{"reason":"a b"}',
        b'{"reason":' + b"[" * 60_000,
    ],
)
def test_what_no_row_knows_is_read_by_its_status_and_counted(
    table: Table, status: int, body: bytes, expected: str
) -> None:
    outcome, mapped = read(table, status, body)

    assert kind(outcome) == expected
    assert not mapped


@pytest.mark.parametrize("reason", ["Unregistered", "ExpiredToken"])
@pytest.mark.parametrize(
    ("died", "suppress"),
    [
        (KNOWN_AT + timedelta(seconds=1), "dead_token"),
        (KNOWN_AT, "dead_token"),
        (KNOWN_AT - timedelta(seconds=1), None),
    ],
)
def test_a_token_is_dead_for_good_only_if_it_died_after_we_had_it(
    table: Table, reason: str, died: datetime, suppress: str | None
) -> None:
    outcome, _ = read(table, 410, refused(reason, timestamp=to_ms(died)))

    assert outcome == Rejected(reason="unregistered", scope="address", code=f"410 {reason}", suppress=suppress)


@pytest.mark.parametrize("timestamp", ['"soon"', "true", "1.5", str(10**30), str(-(10**30)), "null"])
def test_a_time_that_is_none_suppresses_nothing(table: Table, timestamp: str) -> None:
    outcome, _ = read(table, 410, refused("Unregistered", timestamp=timestamp))

    assert outcome == Rejected(reason="unregistered", scope="address", code="410 Unregistered")


def test_a_bad_device_token_is_not_suppressed(table: Table) -> None:
    outcome, _ = read(table, 400, refused("BadDeviceToken", timestamp=to_ms(KNOWN_AT + timedelta(days=1))))

    assert isinstance(outcome, Rejected)
    assert outcome.suppress is None


@pytest.mark.parametrize(
    ("wait", "expected"),
    [
        ("30", timedelta(seconds=30)),
        ("0", timedelta(0)),
        ("Tue, 01 Jan 2030 00:05:00 GMT", timedelta(minutes=5)),
        ("1" * 40, timedelta(seconds=10**8)),
        ("soon", None),
        ("-1", None),
        ("", None),
    ],
)
def test_retry_after_is_heeded(table: Table, wait: str, expected: timedelta | None) -> None:
    busy, _ = read(table, 503, refused("ServiceUnavailable"), **{"retry-after": wait})
    often, _ = read(table, 429, refused("TooManyRequests"), **{"retry-after": wait})

    assert isinstance(busy, Deferred)
    assert isinstance(often, Throttled)
    assert busy.retry_after == often.retry_after == expected


@given(st.integers(100, 999), st.binary(max_size=200))
def test_anything_has_an_outcome_that_repeats_nothing_of_it(status: int, body: bytes) -> None:
    outcome, _ = read(apns_codes.load(), status, b'{"reason":"' + body.hex().encode() + b' ada@example.test"}')

    assert isinstance(outcome, Deferred | Misconfigured | Rejected | Throttled | Unconfirmed)
    assert "example" not in repr(outcome)
