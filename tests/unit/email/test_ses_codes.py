"""SES's table of codes: every row is what AWS's pages say, written down here a second time."""

from datetime import timedelta

import pytest

from channels.email import api_codes
from channels.email.ses import error_name
from tests.unit.email.wording import Case, row_of, worded
from tocsin.outcome import Unconfirmed

RATE, QUOTA = "Maximum sending rate exceeded.", "Daily message quota exceeded."
CASES: list[Case] = [
    (429, "TooManyRequestsException", QUOTA, "throttled account daily_quota 3600"),
    (429, "TooManyRequestsException", RATE, "throttled account"),
    (400, "Throttling", QUOTA, "throttled account daily_quota 3600"),
    (400, "Throttling", RATE, "throttled account"),
    (400, "ThrottlingException", RATE, "throttled account"),
    (400, "LimitExceededException", QUOTA, "throttled account daily_quota 3600"),
    (400, "MessageRejected", "Email address is not verified. …", "misconfigured sender_not_verified"),
    (400, "MessageRejected", "Sending suspended for this account.", "misconfigured sending_suspended"),
    (400, "MessageRejected", "Sending paused for this account.", "misconfigured sending_paused"),
    (400, "MailFromDomainNotVerifiedException", "", "misconfigured mail_from_domain_not_verified"),
    (400, "AccountSuspendedException", "", "misconfigured account_suspended"),
    (400, "SendingPausedException", "", "misconfigured sending_paused"),
    (404, "NotFoundException", "", "misconfigured not_found"),
    (400, "LimitExceededException", "", "misconfigured limit_exceeded"),
    (403, "AccessDeniedException", "", "misconfigured access_denied"),
    (403, "UnrecognizedClientException", "", "misconfigured unknown_access_key"),
    (403, "InvalidClientTokenId", "", "misconfigured unknown_access_key"),
    (403, "InvalidSignatureException", "", "misconfigured signature_refused"),
    (403, "SignatureDoesNotMatch", "", "misconfigured signature_refused"),
    (403, "IncompleteSignatureException", "", "misconfigured signature_refused"),
    (403, "MissingAuthenticationTokenException", "", "misconfigured signature_refused"),
    (403, "ExpiredTokenException", "", "misconfigured session_token_expired"),
    (400, "RequestExpired", "", "misconfigured clock_skew"),
    (403, "OptInRequired", "", "misconfigured no_subscription"),
    (401, "", "", "misconfigured authentication_refused"),
    (403, "", "", "misconfigured authentication_refused"),
    (404, "", "", "misconfigured wrong_address_of_provider"),
    (405, "", "", "misconfigured wrong_address_of_provider"),
    (301, "", "", "misconfigured wrong_address_of_provider"),
    (302, "", "", "misconfigured wrong_address_of_provider"),
    (307, "", "", "misconfigured wrong_address_of_provider"),
    (308, "", "", "misconfigured wrong_address_of_provider"),
    (400, "MessageRejected", "Email rejected", "rejected message message_rejected"),
    (400, "BadRequestException", "", "rejected message bad_request"),
    (400, "ValidationException", "", "rejected message bad_request"),
    (413, "", "", "rejected message message_too_large"),
    (429, "", "", "throttled account"),
    (503, "ServiceUnavailable", "", "unconfirmed service_unavailable"),
    (503, "ServiceUnavailableException", "", "unconfirmed service_unavailable"),
    (500, "InternalFailure", "", "unconfirmed server_error"),
    (500, "InternalServiceErrorException", "", "unconfirmed server_error"),
]


@pytest.fixture(scope="module")
def table() -> api_codes.Table:
    return api_codes.load("ses_codes.toml", idempotent=False)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]} {case[1]} {case[3]}")
def test_an_error_has_its_class(table: api_codes.Table, case: Case) -> None:
    status, error, text, expected = case

    assert worded(table, status, error, text) == expected


def test_each_row_is_reached(table: api_codes.Table) -> None:
    assert [row_of(table, case) for case in CASES] == list(table.rows)


def test_an_error_that_is_not_known_takes_the_conservative_class(table: api_codes.Table) -> None:
    found = {status: worded(table, status, "New", "") for status in (400, 408, 418, 500, 502, 302)}

    assert found == {
        400: "rejected message unmapped",
        408: "unconfirmed answer",
        418: "rejected message unmapped",
        500: "unconfirmed answer",
        502: "unconfirmed answer",
        302: "misconfigured wrong_address_of_provider",
    }
    assert not table.classify(400, "New", "").mapped


def test_a_wait_does_not_say_that_the_mail_was_not_taken(table: api_codes.Table) -> None:
    for error in ("New", "ServiceUnavailable"):
        assert isinstance(table.classify(503, error, "", timedelta(seconds=7)).outcome, Unconfirmed)


def test_an_answer_s_own_wait_comes_before_the_table_s(table: api_codes.Table) -> None:
    found = table.classify(429, "TooManyRequestsException", QUOTA, timedelta(seconds=7)).outcome

    assert getattr(found, "retry_after", None) == timedelta(seconds=7)


def test_texts_are_cut_and_name_nobody(table: api_codes.Table) -> None:
    found = table.classify(400, "MessageRejected", "to ada@example.com\r\n" + "x " * 600).outcome

    assert "ada" not in found.message
    assert "\r" not in found.message
    assert len(found.message) <= 512


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("TooManyRequestsException", "TooManyRequestsException"),
        ("TooManyRequestsException:http://internal.amazon.com/coral/", "TooManyRequestsException"),
        ("com.amazonaws.ses#NotFoundException", "NotFoundException"),
        ("", ""),
    ],
)
def test_an_error_s_name_is_found(text: str, name: str) -> None:
    assert error_name(text) == name
